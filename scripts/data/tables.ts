// `node scripts/data/tables.ts FILE`: prints the tables of a service's database, while the service runs or not. Read-only.
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import { printable } from '@blog/common/core/printable.ts';

/** The number of newest rows shown for each table, and the number of characters of each value. */
const ROWS = 10;
const CHARACTERS = 60;

/** Formats the tables of a database: name, number of rows, and the newest rows. */
export function showTables(file: string): string {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 1_000 });
  try {
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all();
    return tables.map(({ name }) => showTable(db, String(name))).join('\n\n');
  } finally {
    db.close();
  }
}

function showTable(db: DatabaseSync, name: string): string {
  const table = `"${name.replaceAll('"', '""')}"`;
  const [count] = Object.values(db.prepare(`SELECT count(*) FROM ${table}`).get() ?? {});
  // The first column is the sequence of a table that has one.
  const newest = db.prepare(`SELECT * FROM ${table} ORDER BY 1 DESC LIMIT ${ROWS}`);
  const rows = newest.all().reverse();
  const columns = newest.columns().map((column) => column.name);
  const left = Number(count) - rows.length;
  return [
    printable(`${name} (${count} ${count === 1 ? 'row' : 'rows'}${left > 0 ? `; the last ${ROWS}` : ''})`),
    ...rows.map(
      (row) => `  ${columns.map((column) => `${printable(column)}=${show(row[column] ?? null)}`).join('  ')}`,
    ),
  ].join('\n');
}

function show(value: SQLOutputValue): string {
  if (value instanceof Uint8Array) return `<${value.length} bytes>`;
  const text = printable(typeof value === 'string' ? value : String(value));
  return text.length > CHARACTERS ? `${text.slice(0, CHARACTERS)}…` : text;
}

const [, script, file = ''] = process.argv;
if (script === import.meta.filename) console.log(showTables(file));
