/** The parts behind the gateway, by the names that its addresses use. */
export const PARTS = ['posts', 'comments', 'query', 'moderation', 'event-bus'] as const;
export type Part = (typeof PARTS)[number];

type Route = {
  methods: readonly string[];
  path: RegExp;
  part: Part;
  /** Where it is at that part; `$1`, `$2` are what the path's groups matched. As it came if not given. */
  to?: string;
  /** Only where control of the bus is on. */
  control?: true;
};

const ID = '([^/]+)';
const path = (pattern: string) => new RegExp(`^${pattern}$`);
const GET = ['GET', 'HEAD'];

/** All that can be reached from outside. What is not named here does not exist for the gateway. */
const ROUTES: readonly Route[] = [
  { methods: ['POST'], path: path('/posts(?:/create)?'), part: 'posts' },
  { methods: GET, path: path('/posts'), part: 'query' },
  { methods: GET, path: path(`/posts/${ID}`), part: 'query' },
  { methods: GET, path: path('/stream'), part: 'query' },
  { methods: [...GET, 'POST'], path: path(`/posts/${ID}/comments`), part: 'comments' },
  { methods: GET, path: path('/api/system/(subscriptions|dead-letters)'), part: 'event-bus', to: '/$1' },
  { methods: GET, path: path('/api/system/log'), part: 'event-bus', to: '/events' },
  { methods: GET, path: path('/api/system/log/stream'), part: 'event-bus', to: '/stream' },
  {
    methods: GET,
    path: path('/api/system/log/([0-9]+)/deliveries'),
    part: 'event-bus',
    to: '/events/$1/deliveries',
  },
  ...PARTS.map((part) => ({ methods: GET, path: path(`/api/system/parts/${part}`), part, to: '/readyz' })),
  {
    methods: ['POST'],
    path: path(`/api/system/subscriptions/${ID}/(pause|resume|skip|replay)`),
    part: 'event-bus',
    to: '/subscriptions/$1/$2',
    control: true,
  },
  {
    methods: ['POST'],
    path: path(`/api/system/dead-letters/${ID}/redeliver`),
    part: 'event-bus',
    to: '/dead-letters/$1/redeliver',
    control: true,
  },
  {
    methods: ['DELETE'],
    path: path(`/api/system/dead-letters/${ID}`),
    part: 'event-bus',
    to: '/dead-letters/$1',
    control: true,
  },
];

export type Target = { part: Part; path: string } | { allow: string[] } | undefined;

/**
 * Where a request goes: a part and the path there, the methods that the path has if not this one, or undefined if there
 * is no such path. `control`: whether this request may use the routes that control the bus.
 */
export function findTarget(method: string, path: string, control: boolean): Target {
  if (path.startsWith('/api/') && ['POST', 'DELETE'].includes(method) && !control) return undefined;
  const routes = ROUTES.filter((route) => route.path.test(path) && (control || !route.control));
  const route = routes.find(({ methods }) => methods.includes(method));
  if (route) return { part: route.part, path: route.to ? path.replace(route.path, route.to) : path };
  return routes.length > 0 ? { allow: [...new Set(routes.flatMap(({ methods }) => methods))] } : undefined;
}

/**
 * The path with each segment in one spelling only, so that what is matched here is what the part gets. Undefined if it is
 * no proper path: not percent-encoded UTF-8, or with a segment that goes up.
 */
export function parsePath(raw: string): string | undefined {
  if (!raw.startsWith('/')) return undefined;
  try {
    const segments = raw.split('/').map(decodeURIComponent);
    if (segments.some((segment) => segment === '.' || segment === '..' || segment.includes('\0'))) return undefined;
    return segments.map(encodeURIComponent).join('/');
  } catch {
    return undefined;
  }
}

/** Never reachable from outside, whatever stands before it or however its slashes are spelled. */
export const isInternal = (path: string): boolean => /(^|[/\\])(events|metrics)[/\\]*$/i.test(decodeURIComponent(path));
