import type { Request, Response } from 'express';
import { z } from 'zod';
import { Problem, parse } from './problem.ts';

const MOST = 1_000;

const whole = (name: string, least: number, most: number) =>
  z.coerce
    .number({ error: `must be a number` })
    .int(`must be a whole number`)
    .min(least, `must be at least ${least}`)
    .max(most, `must be at most ${most}`)
    .optional()
    .describe(name);

/** A position or a number of the log, in a query string. */
export const wholeNumber = (least = 0) => whole('number', least, Number.MAX_SAFE_INTEGER);

/** `?limit=N&cursor=ID`: how many items, and the id of the last one seen. */
export const pageQuery = z.object({
  limit: whole('limit', 1, MOST),
  cursor: z.string({ error: 'must be given once' }).min(1, 'must not be empty').optional(),
});

/** Parses a list's query string; `limit` is undefined unless given. */
export const parsePage = (req: Request) => parse(pageQuery, req.query);

/** The 400 for a cursor that is not an item of this list. */
export const unknownCursor = () =>
  new Problem(400, 'cursor must be the id of an item of this list', {
    errors: [{ field: 'cursor', detail: 'must be the id of an item of this list' }],
  });

/** Says where the list goes on (RFC 8288), if it does: `items` are one more than the page holds. Returns the page. */
export function page<Item extends { id: string }>(req: Request, res: Response, items: Item[], limit: number): Item[] {
  const shown = items.slice(0, limit);
  const last = shown.at(-1);
  if (items.length > limit && last) {
    const query = new URLSearchParams({ ...(req.query as Record<string, string>), cursor: last.id });
    res.set('Link', `<${req.path}?${query}>; rel="next"`);
  }
  return shown;
}
