// The database: one writer, group commit, and its failures.

import { copyFileSync, cpSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Database, openDatabase } from '@blog/common/core/database.ts';
import { Problem, unavailable } from '@blog/common/core/problem.ts';
import { databaseProblem, type Tx } from '@blog/common/core/sqlite.ts';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { newFolder, removeFolders, until } from './service.ts';

const migrations = ['CREATE TABLE notes (text TEXT NOT NULL UNIQUE) STRICT'];
const add = (text: string) => (tx: Tx) => tx.run('INSERT INTO notes VALUES (?)', text);
const all = (tx: Tx) => tx.all<{ text: string }>('SELECT text FROM notes ORDER BY rowid').map((n) => n.text);

let file: string;
let db: Database;
let commits: number;
const open = () => {
  const database = openDatabase(file, migrations);
  commits = 0;
  database.onCommit(() => {
    commits += 1;
  });
  return database;
};
beforeEach(() => {
  file = join(newFolder(), 'made/on/the/way', 'notes.db');
  db = open();
});
afterEach(() => db.close());
afterAll(removeFolders);

/** The rows that another process sees: only committed ones. */
function committed(): unknown[] {
  const other = new DatabaseSync(file, { readOnly: true });
  const rows = other.prepare('SELECT text FROM notes ORDER BY rowid').all();
  other.close();
  return rows.map(({ text }) => text);
}

/** Takes the write lock from another process until the returned function is called. */
function lock(): () => void {
  const other = new DatabaseSync(file);
  other.exec('BEGIN IMMEDIATE');
  return () => other.close();
}

/** Limits the growth of the file to this many pages. */
const fill = (pages: number) =>
  db.write((tx) => {
    const has = tx.get<{ page_count: number }>('PRAGMA page_count');
    tx.all(`PRAGMA max_page_count = ${Number(has?.page_count) + pages}`);
  });
const large = 'x'.repeat(100_000);

test('a write is answered after its commit, and is there after the file is opened again', async () => {
  await db.write(add('first'));
  expect(committed()).toEqual(['first']);
  await db.close();
  db = open();
  expect(await db.read(all)).toEqual(['first']);
});

test('writes that arrive together run in their order and share one commit', async () => {
  const texts = Array.from({ length: 100 }, (_, i) => `note ${i}`);
  await Promise.all(texts.map((text) => db.write(add(text))));
  expect(await db.read(all)).toEqual(texts);
  expect(commits).toBe(1);
});

test('a full group is committed at once, because one turn of the event loop may bring many works', async () => {
  let turns = 0;
  setImmediate(() => {
    turns += 1;
  });
  const answered: number[] = [];
  const whole = Array.from({ length: 600 }, (_, i) => db.write(add(`note ${i}`)).then(() => answered.push(i)));
  await whole[499];
  expect(turns).toBe(0);
  await Promise.all(whole);
  expect(answered).toEqual(whole.map((_, i) => i));
  expect(commits).toBe(2);
});

test('a work that throws is rolled back alone, and its caller gets the error', async () => {
  const wrong = db.write((tx) => {
    add('half done')(tx);
    throw new Error('changed my mind');
  });
  const results = await Promise.allSettled([db.write(add('before')), wrong, db.write(add('after'))]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  await expect(wrong).rejects.toThrow('changed my mind');
  expect(await db.read(all)).toEqual(['before', 'after']);
  expect(db.health.trouble).toBeUndefined();
});

test('an async work is rolled back and fails, because its rest would run after the commit', async () => {
  const late = db.write(async (tx) => add('too early')(tx));
  await expect(late).rejects.toThrow('must not be async');
  expect(await db.read(all)).toEqual([]);
});

test('a read sees only what is committed', async () => {
  const meanwhile = await db.write((tx) => {
    add('not yet')(tx);
    return { seen: db.read(all) };
  });
  expect(await meanwhile.seen).toEqual([]);
  expect(await db.read(all)).toEqual(['not yet']);
});

test('a read sees one snapshot, whatever is committed meanwhile', async () => {
  await db.write(add('before'));
  const other = new DatabaseSync(file);
  const seen = await db.read((tx) => {
    const first = all(tx);
    other.exec("INSERT INTO notes VALUES ('meanwhile')");
    return [first, all(tx)];
  });
  other.close();
  expect(seen).toEqual([['before'], ['before']]);
  expect(await db.read(all)).toEqual(['before', 'meanwhile']);
});

test('a deferred work joins the next commit', async () => {
  db.later(add('later'));
  await db.write(add('now'));
  expect(committed()).toEqual(['later', 'now']);
  await until(() => commits === 1);
});

test('a deferred work gets its own commit if no other one comes', async () => {
  db.later(add('later'));
  expect(committed()).toEqual([]);
  await until(() => committed().length === 1);
});

test('a deferred work runs at the latest when the database is closed', async () => {
  await db.write(() => db.later(add('later')));
  await db.close();
  expect(committed()).toEqual(['later']);
  db = open();
});

test('a deferred work that comes during a long commit is not forgotten', async () => {
  await db.write(() => {
    db.later(add('later'));
    for (const end = performance.now() + 1_100; performance.now() < end; );
  });
  await until(() => committed().length === 1);
});

test('a full disk fails the write with 507 and stores nothing of it; the others of its group are stored', async () => {
  await fill(5);
  const results = await Promise.allSettled([db.write(add('before')), db.write(add(large)), db.write(add('after'))]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(databaseProblem((results[1] as PromiseRejectedResult).reason)).toMatchObject({ status: 507 });
  expect(committed()).toEqual(['before', 'after']);
});

test('while the disk is full reads continue and the problem is reported, until the next write that fits', async () => {
  await fill(5);
  await db.write(add('before'));
  await expect(db.write(add(large))).rejects.toThrow();
  expect(db.health.trouble).toMatch(/disk is full/);
  expect(await db.read(all)).toEqual(['before']);
  await fill(1_000);
  await db.write(add(large));
  expect(db.health.trouble).toBeUndefined();
});

test('a locked database fails the write with 503; a probe detects the end', async () => {
  const unlock = lock();
  const error = await db.write(add('locked out')).catch((error) => error);
  expect(databaseProblem(error)).toMatchObject({ status: 503 });
  await db.probe();
  expect(db.health.trouble).toMatch(/cannot be used/);
  unlock();
  await db.probe();
  expect(db.health.trouble).toBeUndefined();
  expect(await db.read(all)).toEqual([]);
});

describe('a file that is deleted or replaced while it is open', () => {
  const aside = () => renameSync(dirname(file), `${dirname(file)} aside`);
  test.each<[string, () => void]>([
    ['the database is deleted', () => rmSync(file)],
    ['its journal is deleted', () => rmSync(`${file}-wal`)],
    ['the index of its journal is deleted', () => rmSync(`${file}-shm`)],
    ['its folder is deleted', () => rmSync(dirname(file), { recursive: true })],
    ['its folder is replaced by an empty one', () => [aside(), mkdirSync(dirname(file))]],
    [
      'its folder is replaced by a copy',
      () => [aside(), cpSync(`${dirname(file)} aside`, dirname(file), { recursive: true })],
    ],
    [
      'a copy takes its place',
      () => {
        copyFileSync(file, `${file} copy`);
        renameSync(`${file} copy`, file);
      },
    ],
  ])('refuses writes at once, reports the reason, and can be read: %s', async (_what, replace) => {
    await db.write(add('before'));
    replace();
    expect(db.health.trouble).toMatch(/was deleted or replaced .* started again/);
    const error = await db.write(add('lost')).catch((error) => error);
    expect(databaseProblem(error)).toMatchObject({ status: 503 });
    await expect(Promise.all([db.write(add('one')), db.write(add('two'))])).rejects.toThrow();
    expect(await db.read(all)).toEqual(['before']);
  });

  test('acknowledges no write that was in progress', async () => {
    const deleting = db.write((tx) => {
      add('lost')(tx);
      rmSync(file);
    });
    const beside = db.write(add('lost, too'));
    expect(await Promise.allSettled([deleting, beside])).toMatchObject([
      { status: 'rejected' },
      { status: 'rejected' },
    ]);
  });

  test('accepts writes again when it is restored', async () => {
    aside();
    await expect(db.write(add('refused'))).rejects.toThrow();
    renameSync(`${dirname(file)} aside`, dirname(file));
    await db.write(add('stored'));
    expect(db.health.trouble).toBeUndefined();
    expect(committed()).toEqual(['stored']);
  });

  test('is the one that a link leads to', async () => {
    await db.close();
    const target = join(newFolder(), 'target.db');
    file = join(newFolder(), 'link.db');
    writeFileSync(target, '');
    symlinkSync(target, file);
    db = open();
    await db.write(add('stored'));
    rmSync(`${target}-wal`);
    await expect(db.write(add('lost'))).rejects.toThrow();
  });
});

test('a database of a newer version is refused, and an older one is brought to the newest schema', async () => {
  await db.close();
  const newer = [...migrations, "CREATE TABLE more (text TEXT) STRICT; INSERT INTO more VALUES ('new')"];
  db = openDatabase(file, newer);
  expect(await db.read((tx) => tx.all('SELECT text FROM more'))).toEqual([{ text: 'new' }]);
  expect(() => openDatabase(file, migrations)).toThrow(/newer version/);
});

describe('a seal', () => {
  /** Seals with `answer`, given the notes of the group; a group with more than `most` of them is too large. */
  const sealWith = (answer: (texts: string[]) => Promise<void> | undefined, most = 100) => {
    let sealed = 0;
    db.sealWith({
      prepare: () => {},
      seal(tx) {
        const texts = all(tx);
        if (texts.length === sealed) return undefined;
        if (texts.length > sealed + most) throw new Problem(413, 'too large');
        return answer(texts)?.then(() => {
          sealed = texts.length;
        });
      },
    });
  };
  const settled = async (...texts: string[]) =>
    (await Promise.allSettled(texts.map((text) => db.write(add(text))))).map(({ status }) => status);

  test('comes before the commit: until then nobody reads what the works wrote', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const seals: string[][] = [];
    sealWith((texts) => {
      seals.push(texts);
      return promise;
    });
    const writing = settled('a', 'b');
    await until(() => seals.length === 1);
    expect([committed(), await db.read(all)]).toEqual([[], []]);
    resolve();
    expect(await writing).toEqual(['fulfilled', 'fulfilled']);
    expect(seals).toEqual([['a', 'b']]);
    expect(committed()).toEqual(['a', 'b']);
  });

  test('that is refused undoes the whole group, and the database is well', async () => {
    let refuses = true;
    sealWith(() => (refuses ? Promise.reject(unavailable('no quorum')) : Promise.resolve()));
    await expect(Promise.all([db.write(add('a')), db.write(add('b'))])).rejects.toMatchObject({ status: 503 });
    expect(committed()).toEqual([]);
    expect(db.health.trouble).toBeUndefined();
    refuses = false;
    expect(await settled('c')).toEqual(['fulfilled']);
    expect(committed()).toEqual(['c']);
  });

  test('that is too large for a group takes its works one by one, and refuses only the work that is too large', async () => {
    sealWith(() => Promise.resolve(), 1);
    const two = db.write((tx) => [add('x')(tx), add('y')(tx)]);
    const rest = settled('a', 'b');
    await expect(two).rejects.toMatchObject({ status: 413 });
    expect(await rest).toEqual(['fulfilled', 'fulfilled']);
    expect(committed()).toEqual(['a', 'b']);
    expect(db.health.trouble).toBeUndefined();
  });

  test('lets what is sealed already go first, and is not asked for what may be lost', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const seals: string[][] = [];
    sealWith((texts) => {
      seals.push(texts);
      return promise;
    });
    const first = db.write(add('first'));
    await until(() => seals.length === 1);
    const asked = db.write(add('asked meanwhile'));
    const brought = db.writeSealed(add('brought'));
    resolve();
    await Promise.all([first, asked, brought]);
    expect(committed()).toEqual(['first', 'brought', 'asked meanwhile']);
    db.later(add('later'));
    await until(() => committed().length === 4);
    expect(seals).toHaveLength(2);
    db.later(add('sealed later'), { seals: true });
    await until(() => seals.length === 3);
  });
});
