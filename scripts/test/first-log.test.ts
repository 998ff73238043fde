// The log of the first copy of the bus, which may be ahead of the quorum, is given to the copies that have only its beginning.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, expect, test } from '@jest/globals';
import { shareFirstLog } from '../data/logs.ts';

const data = mkdtempSync(join(tmpdir(), 'blog first log '));
afterAll(() => rmSync(data, { recursive: true, force: true }));

const folderOf = (name: string) => join(data, name);

function withLog<T>(name: string, work: (db: DatabaseSync) => T): T {
  mkdirSync(folderOf(name), { recursive: true });
  const db = new DatabaseSync(join(folderOf(name), 'event-bus.db'));
  try {
    return work(db);
  } finally {
    db.close();
  }
}

function writeLog(name: string, ...checksums: string[]): void {
  withLog(name, (db) => {
    db.exec(`CREATE TABLE log (id TEXT); INSERT INTO log VALUES ('${name}')`);
    db.exec('CREATE TABLE events (position INTEGER PRIMARY KEY, checksum TEXT)');
    for (const checksum of checksums) db.prepare('INSERT INTO events (checksum) VALUES (?)').run(checksum);
  });
}
const readLog = (name: string) =>
  withLog(name, (db) => db.prepare('SELECT checksum FROM events ORDER BY position').all()).map(
    ({ checksum }) => checksum,
  );

test('a copy that has the beginning, or nothing, gets all of it; one with other or more events keeps its own', () => {
  writeLog('.', 'a', 'b', 'c');
  writeLog('copy-1', 'a', 'b');
  writeLog('copy-3', 'a', 'x');
  writeLog('copy-4', 'a', 'b', 'c', 'd');
  shareFirstLog(data, ['copy-1', 'copy-2', 'copy-3', 'copy-4'].map(folderOf));
  expect(readLog('copy-1')).toEqual(['a', 'b', 'c']);
  expect(readLog('copy-2')).toEqual(['a', 'b', 'c']);
  expect(readLog('copy-3')).toEqual(['a', 'x']);
  expect(readLog('copy-4')).toEqual(['a', 'b', 'c', 'd']);
});
