import type { Request, Response } from 'express';
import { z } from 'zod';
import { fieldProblem, parse } from './problem.ts';

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

/** How much text a page has at most, in characters: what others published may be large, and a page is held whole. */
export const PAGE_TEXT = 2 * 1024 * 1024;

/** `items` are one more than `fit`, how many a page holds, unless the list ends there. */
export type Items<Item> = { items: Item[]; fit: number };

/** The first rows, and one more: as many as the limit says, and no more than so much text has room for; one at least. */
export function firstOf<Row>(rows: Iterable<Row>, limit: number, room = PAGE_TEXT): Items<Row> {
  const items: Row[] = [];
  let fit = 0;
  let size = 0;
  for (const row of rows) {
    items.push(row);
    size += textOf(row);
    if (fit === limit || (fit > 0 && size > room)) break;
    fit += 1;
  }
  return { items, fit };
}

/** How much text there is in a row, in characters. */
function textOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  let size = 0;
  for (const member of Object.values(value)) size += textOf(member);
  return size;
}

/** The 400 for a cursor that is not an item of this list. */
export const unknownCursor = () => fieldProblem(400, 'cursor', 'must be the id of an item of this list');

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
