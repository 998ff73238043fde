import { STATUS_CODES } from 'node:http';
import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import type { z } from 'zod';
import type { Log } from '../observe/log.ts';
import { traceIdOf, traceparentOf } from '../observe/traces.ts';

type Fields = { field: string; detail: string }[];
type Extra = { errors?: Fields; retryAfter?: number; headers?: Record<string, string>; [member: string]: unknown };

/**
 * An answer that is not a success, as RFC 9457 problem details. Thrown anywhere in a route; the error handler sends it.
 * `retryAfter` is in seconds and becomes the header; `errors` names each field and its rule.
 */
export class Problem extends Error {
  readonly status: number;
  readonly extra: Extra;
  constructor(status: number, detail: string, extra: Extra = {}) {
    super(detail);
    this.status = status;
    this.extra = extra;
  }
}

/** A 503 that says when to try again. */
export const unavailable = (detail: string, retryAfter = 1) => new Problem(503, detail, { retryAfter });

/** A problem with one field: `rule` says what it must be. */
export const fieldProblem = (status: number, field: string, rule: string, detail = `${field} ${rule}`) =>
  new Problem(status, detail, { errors: [{ field, detail: rule }] });

/**
 * Parses what came from outside.
 * @throws Problem 400 that names each field and its rule
 */
export function parse<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const errors = result.error.issues.map(({ path, message }) => ({ field: path.join('.') || 'body', detail: message }));
  throw new Problem(400, errors.map(({ field, detail }) => `${field} ${detail}`).join('; '), { errors });
}

/** The text of a problem document (RFC 9457 §3). */
export const problemDocument = (status: number, detail: string, members: object = {}): string =>
  JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, detail, ...members });

export function sendProblem(res: Response, problem: Problem): void {
  const { retryAfter, headers, ...members } = problem.extra;
  if (retryAfter !== undefined) res.set('Retry-After', String(retryAfter));
  if (headers) res.set(headers);
  const { status, message } = problem;
  res
    .status(status)
    .type('application/problem+json')
    .send(problemDocument(status, message, members));
}

/** Errors of SQLite's that say something of the disk, the file or a lock, not of the statement (sqlite.org/rescode). */
const READ_ONLY = 8;
const DISK_FULL = 13;
/** SQLITE_READONLY_DBMOVED: the file was deleted or replaced after it was opened. */
const MOVED = 1032;
const DATABASE_TROUBLE = new Set([4, 5, 6, 7, READ_ONLY, 9, 10, 11, DISK_FULL, 14, 15, 22, 24, 26]);

/** What says that something stored cannot be read back: a damaged page, no database, four kinds of failed reads. */
const UNREADABLE = new Set([11, 26, 266, 522, 8202, 8458]);

const resultCode = (error: unknown): number =>
  (error as { code?: unknown }).code === 'ERR_SQLITE_ERROR' ? Number((error as { errcode?: unknown }).errcode) : 0;

export const isUnreadable = (error: unknown): boolean =>
  UNREADABLE.has(resultCode(error)) || UNREADABLE.has(resultCode(error) & 0xff);

/** Whether a connection was refused to write, as one is that was made while its file could only be read. */
export const isReadOnly = (error: unknown): boolean => (resultCode(error) & 0xff) === READ_ONLY;

/** The error that SQLite itself has for a file that is no longer at its path. It looks for that only without a WAL. */
export const movedError = (): Error =>
  Object.assign(new Error('the database file has been moved'), { code: 'ERR_SQLITE_ERROR', errcode: MOVED });

/** The 503 or 507 for an error of the database, or undefined if it is something else. */
export function databaseProblem(error: unknown): Problem | undefined {
  const primary = resultCode(error) & 0xff;
  if (!DATABASE_TROUBLE.has(primary)) return undefined;
  if (resultCode(error) === MOVED)
    return unavailable(
      'The database was deleted or replaced while it was in use; nothing is stored until this part is started again.',
    );
  return primary === DISK_FULL
    ? new Problem(507, 'The disk is full; nothing was stored.', { retryAfter: 5 })
    : unavailable('The database cannot be used at the moment; nothing was stored.');
}

/** What Express and its body parser throw (they mark it with `type` or `status`), in our words. */
function parserProblem(error: { type?: string; status?: number; limit?: number }): Problem | undefined {
  if (error.type === 'entity.too.large') return new Problem(413, `The body is over the limit of ${error.limit} bytes.`);
  if (error.type === 'entity.parse.failed') return new Problem(400, 'The body is not valid JSON.');
  if (error.status === 415) return new Problem(415, 'The body has an encoding or a charset that is not accepted.');
  if (error.status && error.status >= 400 && error.status < 500) {
    return new Problem(error.status, 'The request is malformed.');
  }
}

/** The last route of every app: an address that is not there. */
export const notFound: RequestHandler = (req) => {
  throw new Problem(404, `There is nothing at ${req.path}.`);
};

/** The last routes of an address: any method that it does not have. */
export const onlyMethods =
  (...methods: string[]): RequestHandler =>
  () => {
    const allow = methods.join(', ');
    throw new Problem(405, `Only ${allow} can be used here.`, { headers: { Allow: allow } });
  };

/** The one error handler of every app: a problem as it is, anything unexpected logged and answered without details. */
export const problemHandler =
  (log: Log): ErrorRequestHandler =>
  (error, req, res, _next) => {
    const problem = error instanceof Problem ? error : (databaseProblem(error) ?? parserProblem(error));
    // A refusal that was thrown as one is meant; anything else of this kind is news.
    if (!(error instanceof Problem) && (problem?.status ?? 500) >= 500) {
      const traceId = traceIdOf(traceparentOf(req));
      log.error({ err: error, method: req.method, path: req.path, traceId }, 'request failed');
    }
    if (res.headersSent) return void res.destroy();
    sendProblem(res, problem ?? new Problem(500, 'Something went wrong here; the log says what.'));
  };
