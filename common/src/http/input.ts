// Input of requests: bodies, pages of lists, the idempotency key. Each refusal is a Problem that names the field and its rule.
import { isUtf8 } from 'node:buffer';
import { hash, randomUUIDv7 } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import express, { type Request, type RequestHandler, type Response } from 'express';
import { z } from 'zod';
import { type Author, PLAIN } from '../core/events.ts';
import { fieldProblem, Problem, parse } from '../core/problem.ts';
import type { Rows } from '../core/rows.ts';

/** The limit of a request's body, in bytes, and that of any `/events`. */
export const BODY_LIMIT = 64 * 1024;
export const EVENTS_LIMIT = 1024 * 1024;

/**
 * Parses a JSON body of one of the media types, of so many bytes at most (else 413), and keeps the bytes in `res.locals`.
 * Compressed bodies and any other media type are refused (415), and so are bytes that are not UTF-8 (400), where a lenient
 * decoder would store replacement characters.
 */
export function jsonBody(limit: number, ...types: string[]): RequestHandler {
  const type = types.length > 0 ? types : [PLAIN];
  const verify = (_req: unknown, res: unknown, bytes: Buffer, encoding: string) => {
    if (encoding !== 'utf-8') throw new Problem(415, 'The body must be UTF-8.');
    if (!isUtf8(bytes)) throw new Problem(400, 'The body is not valid UTF-8.');
    (res as Response).locals.bytes = bytes;
  };
  const parser = express.json({ limit, type, inflate: false, verify });
  return (req, res, next) => {
    if (!hasBody(req)) throw fieldProblem(400, 'body', 'is missing', 'A JSON body is needed.');
    if (!req.is(type)) throw new Problem(415, `The body must be ${type.join(' or ')}.`);
    parser(req, res, (error?: unknown) => {
      // The items of a list may be as deep as one alone: an event that came alone goes on in a batch.
      const levels = Array.isArray(req.body) ? DEEPEST + 1 : DEEPEST;
      if (error || isWithin(levels, req.body)) return next(error);
      next(fieldProblem(400, 'body', `must have at most ${DEEPEST} levels`));
    });
  };
}

/** Deeper values overflow the stack of code that compares or copies them; many languages' parsers refuse them, too. */
const DEEPEST = 100;

const isWithin = (levels: number, value: unknown): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (levels > 0 && Object.values(value).every((member) => isWithin(levels - 1, member)));

/** A body that may be left out: then `req.body` is undefined. */
export function optionalBody(limit: number): RequestHandler {
  const body = jsonBody(limit);
  return (req, res, next) => (hasBody(req) ? body(req, res, next) : next());
}

/** True if a body comes with the request (RFC 9112 §6.3). */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Text that a person sends: trimmed, 1 to `max` characters, without NUL and halves of surrogate pairs. */
export const requestText = (max: number) =>
  z
    .string({ error: 'must be a string' })
    .trim()
    .min(1, 'must not be empty')
    .refine((text) => [...text].length <= max, `must have at most ${max} characters`)
    .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must not contain NUL or lone surrogates');

/** The body of a request: an object; fields that it does not name are ignored. */
export const requestBody = <S extends z.ZodRawShape>(shape: S) => z.object(shape, { error: 'must be a JSON object' });

/** A whole number in a query string or a path. */
export const wholeNumber = (least = 0, most = Number.MAX_SAFE_INTEGER) =>
  z
    .string({ error: 'must be given once' })
    .regex(/^-?\d+$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(least, `must be at least ${least}`).max(most, `must be at most ${most}`));

const pageQuery = z.object({
  limit: wholeNumber(1, 1_000).optional(),
  cursor: z.string({ error: 'must be given once' }).min(1, 'must not be empty').optional(),
});

/** Parses `?limit=N&cursor=ID`: the number of items, and the id of the last one seen; each undefined unless given. */
export const parsePage = (req: Request) => parse(pageQuery, req.query);

/** Links the next page (RFC 8288), if the list goes on. Returns the items of this one. */
export function page<Item extends { id: string }>(req: Request, res: Response, { rows, more }: Rows<Item>): Item[] {
  const last = rows.at(-1);
  if (more && last) {
    const query = new URLSearchParams({ ...(req.query as Record<string, string>), cursor: last.id });
    res.set('Link', `<${req.path}?${query}>; rel="next"`);
  }
  return rows;
}

/** The request's `Idempotency-Key`, or null. */
export function idempotencyKey(req: Request): string | null {
  const key = req.get('Idempotency-Key');
  if (key === undefined) return null;
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw fieldProblem(400, 'Idempotency-Key', 'must be 1 to 255 visible ASCII characters');
}

/**
 * The id of what a request makes. From a key it is derived (UUIDv8, RFC 9562 §5.8), so that the same request makes the same
 * thing, and the same event, whichever copy of the service takes it.
 */
export function newId(source: string, key: string | null): string {
  if (key === null) return randomUUIDv7();
  const hex = hash('sha256', `${source} ${key}`, 'hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/**
 * The row that an earlier request with the same key has made: the answer to this one, too.
 * @throws Problem 422 if this request gives other values, or is another author's
 */
export function answerAgain<Row extends { author?: Author }>(earlier: Row, given: object, author?: Author): Row {
  const stored = new Map(Object.entries(earlier));
  const isSame = Object.entries(given).every(([field, value]) => stored.get(field) === value);
  if (!isSame || earlier.author?.id !== author?.id)
    throw fieldProblem(422, 'Idempotency-Key', 'was used for another request');
  return earlier;
}
