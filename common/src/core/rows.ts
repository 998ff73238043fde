// Rows of a service's tables: pages of them, and the SQL that fills in what a row does not know.
import type { Author } from './events.ts';
import { unknownCursor } from './problem.ts';
import type { Tx } from './sqlite.ts';

/** The maximum size of a page, in characters: what others published may be large, and a page is held whole. */
const PAGE_TEXT = 2 * 1024 * 1024;

/** The beginning of a list; `more`: the list goes on behind it. */
export type Rows<Row> = { rows: Row[]; more: boolean };

/**
 * The first rows, at most `limit` of them, with a total size of at most `room` (by default in characters of JSON); one at
 * least. The next one is read, to know whether there is one: so a query asks for one more than `limit`.
 */
export function firstOf<Row>(
  found: Iterable<Row>,
  limit: number,
  room = PAGE_TEXT,
  sizeOf = (row: Row): number => JSON.stringify(row).length,
): Rows<Row> {
  const rows: Row[] = [];
  let size = 0;
  for (const row of found) {
    size += sizeOf(row);
    if (rows.length === limit || (rows.length > 0 && size > room)) return { rows, more: true };
    rows.push(row);
  }
  return { rows, more: false };
}

/**
 * The `seq` of an item of a list: the page behind it is asked for.
 * @throws Problem 400 if `sql` finds no such item
 */
export function seqOf(tx: Tx, sql: string, ...ids: string[]): number {
  const item = tx.get<{ seq: number }>(sql, ...ids);
  if (!item) throw unknownCursor();
  return item.seq;
}

/** The values for the columns of a row: an object is stored as JSON, and NULL what is missing. */
export const valuesOf = (columns: readonly string[], row: { [column: string]: unknown }) =>
  columns.map((column) => {
    const value = row[column] ?? null;
    return (typeof value === 'object' && value !== null ? JSON.stringify(value) : value) as string | null;
  });

/** A row as it is answered: with its author, which is stored as JSON, or without that member. Changes the row itself. */
export function withAuthor<Row extends { author?: Author }>(row: Row): Row {
  const stored = row.author as unknown as string | null;
  if (stored === null) delete row.author;
  else row.author = JSON.parse(stored);
  return row;
}

/** The same for a page. A loop: to map the rows as they are read would cost a tenth of the time of a long list. */
export function withAuthors<Row extends { author?: Author }>(page: Rows<Row>): Rows<Row> {
  for (const row of page.rows) withAuthor(row);
  return page;
}

/** SQL for the columns that a stored row does not know, in `ON CONFLICT DO UPDATE SET`: they are filled in, never replaced. */
export const fillIn = (columns: readonly string[]): string =>
  columns.map((column) => `${column} = coalesce(${column}, excluded.${column})`).join(', ');

/** SQL for its `WHERE`: true if there is something to fill in. */
export const lacks = (columns: readonly string[]): string =>
  columns.map((column) => `${column} IS NULL AND excluded.${column} IS NOT NULL`).join(' OR ');

/** SQL for columns whose new values replace the stored ones; a value that is missing replaces nothing. */
export const replace = (columns: readonly string[]): string =>
  columns.map((column) => `${column} = coalesce(excluded.${column}, ${column})`).join(', ');

/** SQL for its `WHERE`: true if there is something to replace. */
export const differs = (columns: readonly string[]): string =>
  columns.map((column) => `${column} IS NOT coalesce(excluded.${column}, ${column})`).join(' OR ');
