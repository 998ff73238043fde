import type { Request } from 'express';
import { fieldProblem } from './problem.ts';

/**
 * The request's `Idempotency-Key`, or null. It becomes a unique column of the row that the request makes, so it lives
 * and dies with that row and costs no transaction of its own.
 * @throws Problem 400 if it is not 1 to 255 visible ASCII characters
 */
export function idempotencyKey(req: Request): string | null {
  const key = req.get('Idempotency-Key');
  if (key === undefined) return null;
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw fieldProblem(400, 'Idempotency-Key', 'must be 1 to 255 visible ASCII characters');
}

/** The 422 for a key that was used for something else. */
export const keyReused = () => fieldProblem(422, 'Idempotency-Key', 'was used for another request');
