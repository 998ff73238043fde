// The gateway's route table: everything that can be reached from outside. nginx.conf has the same routes.

import type { Part } from '@blog/common/run/parts.ts';

const READ = ['GET', 'HEAD'];
const API = '/api/system';
const ID = '([^/]+)';

/** `part`: the one that answers. `to`: the path there, with the groups of `path`; by default the path itself. */
const route = (methods: string[], path: string, part: Part | 'auth', to = '$&') => {
  return { methods, path: new RegExp(`^(?:${path})$`), part, to, isControl: part === 'event-bus' && methods !== READ };
};

export const ROUTES = [
  route(['POST'], '/posts(?:/create)?', 'posts'),
  route(READ, `/posts(?:/${ID})?`, 'query'),
  route(READ, '/stream', 'query'),
  route([...READ, 'POST'], `/posts/${ID}/comments`, 'comments'),
  route(READ, `${API}/(subscriptions|dead-letters)`, 'event-bus', '/$1'),
  route(READ, `${API}/log`, 'event-bus', '/events'),
  route(READ, `${API}/log/stream`, 'event-bus', '/stream'),
  route(READ, `${API}/log/([0-9]+)/deliveries`, 'event-bus', '/events/$1/deliveries'),
  route(['POST'], `${API}/subscriptions/${ID}/(pause|resume|skip|replay)`, 'event-bus', '/subscriptions/$1/$2'),
  route(['DELETE'], `${API}/subscriptions/${ID}`, 'event-bus', '/subscriptions/$1'),
  route(['POST'], `${API}/dead-letters/${ID}/redeliver`, 'event-bus', '/dead-letters/$1/redeliver'),
  route(['DELETE'], `${API}/dead-letters/${ID}`, 'event-bus', '/dead-letters/$1'),
  // The gateway's own, and the page's.
  route(READ, `${API}/state|/healthz|/readyz`, 'client'),
  route(READ, `/(?:system|p/${ID})?`, 'client', '/index.html'),
];

/** Only with `AUTH_URL`. */
const SIGN_IN = [route(READ, '/login(?:/callback)?|/me', 'auth'), route(['POST'], '/logout', 'auth')];

/** Finds the route of a request, and all methods that its address has. */
export function findRoute(method: string, path: string, mayControl: boolean, maySignIn = false) {
  const routes = maySignIn ? [...ROUTES, ...SIGN_IN] : ROUTES;
  const there = routes.filter((one) => one.path.test(path) && (mayControl || !one.isControl));
  const allow = [...new Set(there.flatMap(({ methods }) => methods))].join(', ');
  const { part, to = '', isControl, path: pattern = '' } = there.find((one) => one.methods.includes(method)) ?? {};
  return { part, to: path.replace(pattern, to), isControl, allow };
}

/**
 * Takes the request target apart without decoding it: the part gets exactly the text that was matched here. Undefined if
 * parts could interpret it differently: percent-encoding that is not UTF-8, illegal characters, dot segments (RFC 3986 §3.3).
 */
export function parseTarget(raw: string) {
  // RFC 9112 §3.2.2: a client may send the absolute form.
  const target = raw.replace(/^https?:\/\/[^/?#]*\/?/i, '/');
  const [, path = '%', query = ''] = /^(\/[\w\-.~!$&'()*+,;=:@%/]*)(\?[!"$-~]*)?$/.exec(target) ?? [];
  try {
    const decoded = decodeURIComponent(path);
    // Internal addresses are never reachable from outside, under any prefix and in any spelling.
    const isInternal = /[/\\](events|metrics)[/\\]*$/i.test(decoded);
    return /(^|[/\\])\.{1,2}([/\\]|$)|\0/.test(decoded) ? undefined : { path, query, isInternal };
  } catch {
    return undefined;
  }
}
