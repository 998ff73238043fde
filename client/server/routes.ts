// The gateway's route table: everything that can be reached from outside.

import { SERVERS, type Server } from '@blog/common/run/parts.ts';

type Route = {
  methods: readonly string[];
  path: RegExp;
  part: Server;
  /** The path at that part; `$1`, `$2` are the groups matched in the request's path. Defaults to the request's path. */
  to?: string;
  /** Exists only if control of the bus is on. */
  control?: true;
};

const ID = '([^/]+)';
const path = (pattern: string) => new RegExp(`^${pattern}$`);
const GET = ['GET', 'HEAD'];

/** The routes. Everything else is 404. */
export const ROUTES: readonly Route[] = [
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
  ...SERVERS.map((part) => ({ methods: GET, path: path(`/api/system/parts/${part}`), part, to: '/readyz' })),
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

/** The result of a lookup. `control`: the route controls the bus. */
export type Target = { part: Server; path: string; control?: true | undefined } | { allow: string[] } | undefined;

/**
 * Finds the route of a request: the part and the path there, the allowed methods if this one is not among them, or
 * undefined if there is no such path. `control` enables the routes that control the bus.
 */
export function findTarget(method: string, path: string, control: boolean): Target {
  if (path.startsWith('/api/') && ['POST', 'DELETE'].includes(method) && !control) return undefined;
  const routes = ROUTES.filter((route) => route.path.test(path) && (control || !route.control));
  const route = routes.find(({ methods }) => methods.includes(method));
  if (route) {
    const { part, to, control } = route;
    return { part, path: to ? path.replace(route.path, to) : path, control };
  }
  return routes.length > 0 ? { allow: [...new Set(routes.flatMap(({ methods }) => methods))] } : undefined;
}

/** A path by RFC 3986 §3.3. The query is matched more loosely, as clients write it. */
const TARGET = /^(\/[\w\-.~!$&'()*+,;=:@%/]*)(\?[!"$-~]*)?$/;
const GOES_UP = /(^|[/\\])\.{1,2}([/\\]|$)/;

/**
 * Parses the request target without decoding it: the part gets exactly the text that was matched here. Undefined if
 * parts could interpret it differently: percent-encoding that is not UTF-8, illegal characters, dot segments.
 */
export function parseTarget(raw: string): { path: string; query: string } | undefined {
  // RFC 9112 §3.2.2: a client may send the absolute form.
  const [, path, query = ''] = TARGET.exec(raw.replace(/^https?:\/\/[^/?#]*\/?/i, '/')) ?? [];
  if (path === undefined) return undefined;
  try {
    const decoded = decodeURIComponent(path);
    return GOES_UP.test(decoded) || decoded.includes('\0') ? undefined : { path, query };
  } catch {
    return undefined;
  }
}

/** Internal addresses, never reachable from outside, under any prefix and in any spelling. */
export const isInternal = (path: string): boolean => /[/\\](events|metrics)[/\\]*$/i.test(decodeURIComponent(path));
