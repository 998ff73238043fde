// The control state of the bus, as it travels between its copies: which rows of its small tables have changed, and what they say.
import type { Tx } from '@blog/common/core/sqlite.ts';

/** The tables, with the column that names a row. The rest is generic: a column that only one of two versions has is left out. */
const TABLES = { subscriptions: 'name', dead_letters: 'id', leaders: 'name' };
type Table = keyof typeof TABLES;
type Row = Record<string, string | number | null>;

/** The maximum of changes in one message, in bytes: more of them take several messages. */
const MOST = 100 * 1024;

/** Notes each row that changes, until it is taken. Temporary: it lasts as long as the connection, and undoes with it. */
export function trackChanges(tx: Tx): void {
  tx.run('CREATE TEMP TABLE changed (name TEXT NOT NULL, key ANY NOT NULL, UNIQUE (name, key)) STRICT');
  for (const [table, key] of Object.entries(TABLES)) {
    const note = (row: string) => `INSERT OR IGNORE INTO changed VALUES ('${table}', ${row}.${key})`;
    const rows = { INSERT: note('NEW'), UPDATE: `${note('OLD')}; ${note('NEW')}`, DELETE: note('OLD') };
    for (const [change, noted] of Object.entries(rows))
      tx.run(`CREATE TEMP TRIGGER ${table}_${change} AFTER ${change} ON main.${table} BEGIN ${noted}; END`);
  }
}

/** Notes all rows as changed: the others do not have them. */
export function noteAll(tx: Tx): void {
  for (const [table, key] of Object.entries(TABLES))
    tx.run(`INSERT OR IGNORE INTO temp.changed SELECT '${table}', ${key} FROM main.${table}`);
}

/** Takes changed rows, as text: `[[table, key, row], …]`, without a row if it was deleted. */
export function takeChanges(tx: Tx): string {
  const taken: string[] = [];
  let size = 0;
  for (const { name, key } of tx.all<{ name: Table; key: string | number }>('SELECT name, key FROM temp.changed')) {
    if (size > MOST) break;
    const row = tx.get<Row>(`SELECT * FROM main.${name} WHERE ${TABLES[name]} = ?`, key);
    const text = JSON.stringify(row ? [name, key, row] : [name, key]);
    taken.push(text);
    size += Buffer.byteLength(text);
    tx.run('DELETE FROM temp.changed WHERE name = ? AND key = ?', name, key);
  }
  return taken.length > 0 ? `[${taken.join()}]` : '';
}

/** Applies changes that another copy has made. */
export function applyChanges(tx: Tx, text: string): void {
  for (const [table, key, row] of JSON.parse(text) as [Table, string | number, Row?][]) {
    if (!Object.hasOwn(TABLES, table)) continue;
    if (!row) tx.run(`DELETE FROM main.${table} WHERE ${TABLES[table]} = ?`, key);
    else {
      const own = tx.all<{ name: string }>('SELECT name FROM pragma_table_info(?)', table);
      const columns = own.map(({ name }) => name).filter((name) => Object.hasOwn(row, name));
      tx.run(
        `INSERT OR REPLACE INTO main.${table} (${columns.join()}) VALUES (${columns.map(() => '?').join()})`,
        ...columns.map((name) => row[name] ?? null),
      );
    }
  }
  // They are no changes of this copy.
  tx.run('DELETE FROM temp.changed');
}
