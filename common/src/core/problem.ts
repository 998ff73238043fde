// The one class of errors that have an answer of their own, and the parsing that throws it.
import type { z } from 'zod';

type Fields = { field: string; detail: string }[];
type Extra = { errors?: Fields; retryAfter?: number; headers?: Record<string, string>; [member: string]: unknown };

/**
 * The one class of errors that have an answer of their own: thrown anywhere, sent as problem details (http/problem.ts).
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

/** A 503 with the time after which to try again, in seconds. */
export const unavailable = (detail: string, retryAfter = 1) => new Problem(503, detail, { retryAfter });

/** A problem with one field: `rule` says what it must be. */
export const fieldProblem = (status: number, field: string, rule: string, detail = `${field} ${rule}`) =>
  new Problem(status, detail, { errors: [{ field, detail: rule }] });

/**
 * Parses input from outside.
 * @throws Problem 400 that names each field and its rule
 */
export function parse<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const errors = result.error.issues.map(({ path, message }) => ({ field: path.join('.') || 'body', detail: message }));
  throw new Problem(400, errors.map(({ field, detail }) => `${field} ${detail}`).join('; '), { errors });
}

/** The 400 for a cursor that is not an item of this list. */
export const unknownCursor = () => fieldProblem(400, 'cursor', 'must be the id of an item of this list');
