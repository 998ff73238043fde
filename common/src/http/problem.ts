// Sends errors as problem details (RFC 9457).
import { STATUS_CODES } from 'node:http';
import type { ErrorRequestHandler, RequestHandler, Router } from 'express';
import { traceIdOf } from '../core/events.ts';
import type { Log } from '../core/observer.ts';
import { Problem } from '../core/problem.ts';
import { databaseProblem } from '../core/sqlite.ts';

/** The text of a problem document (RFC 9457 §3). */
export const problemDocument = (status: number, detail: string, members: object = {}): string =>
  JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, detail, ...members });

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;' };

/** The problem as a document, for a browser that was sent to sign in: its user would see JSON. nginx.conf has the same. */
export const problemPage = (detail: string): string =>
  '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">' +
  '<meta name="color-scheme" content="light dark"><title>Sign in</title><h1>Signing in did not work</h1>' +
  `<p>${detail.replace(/[&<]/g, (char) => escapes[char] as string)}</p><p><a href="/">Back to the blog</a></p>`;

/** An error in our words; Express and its body parser mark theirs with `type` or `status`. */
function problemOf(error: { type?: string; status?: number; limit?: number }): Problem {
  const known = error instanceof Problem ? error : databaseProblem(error);
  if (known) return known;
  const { type, status = 500, limit } = error;
  if (type === 'entity.too.large') return new Problem(413, `The body is over the limit of ${limit} bytes.`);
  if (type === 'entity.parse.failed') return new Problem(400, 'The body is not valid JSON.');
  if (status === 415) return new Problem(415, 'The body has an encoding or a charset that is not accepted.');
  if (status >= 400 && status < 500) return new Problem(status, 'The request is malformed.');
  return new Problem(500, 'Something went wrong here; the log says what.');
}

/** The last route of every app: an unknown address. */
export const notFound: RequestHandler = (req) => {
  throw new Problem(404, `There is nothing at ${req.path}.`);
};

/** Adds the last route of each address of a router: 405 with `Allow` for every other method. */
export function refuseOtherMethods(routes: Router): void {
  const known = routes.stack.flatMap(({ route }) => route ?? []);
  for (const [path, same] of Map.groupBy(known, (route) => route.path)) {
    // The layers of `all` have no method, and leave none to refuse.
    const methods = same.flatMap((route) => route.stack.map(({ method = '' }) => method.toUpperCase()));
    const allow = [...new Set(methods)].sort().join(', ');
    routes.all(path, () => {
      throw new Problem(405, `Only ${allow} can be used here.`, { headers: { Allow: allow } });
    });
  }
}

/**
 * The one error handler of every app: a problem as it is, any other error logged and answered without details. Where
 * `res.locals.isPage` is set, a browser gets a document.
 */
export const problemHandler =
  (log: Log): ErrorRequestHandler =>
  (error, req, res, _next) => {
    const problem = problemOf(error);
    // A thrown Problem is a decision of the code; any other error of 500 and above is news.
    if (problem !== error && problem.status >= 500) {
      const traceId = traceIdOf(res.locals.traceparent);
      log.error({ err: error, method: req.method, path: req.path, traceId }, 'request failed');
    }
    if (res.headersSent) return void res.destroy();
    const { retryAfter, headers, ...members } = problem.extra;
    if (retryAfter !== undefined) res.set('Retry-After', String(retryAfter));
    if (headers) res.set(headers);
    if (res.locals.isPage && req.accepts('application/problem+json', 'text/html') === 'text/html')
      return void res.status(problem.status).type('text/html').send(problemPage(problem.message));
    const document = problemDocument(problem.status, problem.message, members);
    res.status(problem.status).type('application/problem+json').send(document);
  };
