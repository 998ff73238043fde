import type { Request, Response } from 'express';
import { z } from 'zod';
import { fieldProblem, parse } from './problem.ts';
import type { Rows } from './rows.ts';

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

/** Parses `?limit=N&cursor=ID`: how many items, and the id of the last one seen; each undefined unless given. */
export const parsePage = (req: Request) => parse(pageQuery, req.query);

/** The 400 for a cursor that is not an item of this list. */
export const unknownCursor = () => fieldProblem(400, 'cursor', 'must be the id of an item of this list');

/** Links the next page (RFC 8288), if the list goes on. Returns the items of this one. */
export function page<Item extends { id: string }>(req: Request, res: Response, { rows, more }: Rows<Item>): Item[] {
  const last = rows.at(-1);
  if (more && last) {
    const query = new URLSearchParams({ ...(req.query as Record<string, string>), cursor: last.id });
    res.set('Link', `<${req.path}?${query}>; rel="next"`);
  }
  return rows;
}
