// A service that reads: an event's rows and its id are one transaction, so an event that comes again is recognised.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import express from 'express';

const { PORT = 4002, DATA_DIR = import.meta.dirname } = process.env;
const db = new DatabaseSync(join(DATA_DIR, 'query.db'));
db.exec(`PRAGMA journal_mode = WAL;
  CREATE TABLE IF NOT EXISTS handled (id TEXT PRIMARY KEY) STRICT;
  CREATE TABLE IF NOT EXISTS posts (id TEXT NOT NULL, title TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS comments
    (id TEXT NOT NULL, postId TEXT NOT NULL, content TEXT NOT NULL, status TEXT NOT NULL) STRICT`);

type Event = {
  id?: string;
  type: string;
  data: { id: string; title: string; postId: string; content: string; status: string };
};

/** Handles an event once: if the process dies in the middle, neither its rows nor its id are there. */
function handle(event: Event) {
  db.exec('BEGIN IMMEDIATE');
  try {
    // A classic bus gives no ids.
    const isNew = !event.id || run('INSERT OR IGNORE INTO handled VALUES (?)', event.id).changes > 0;
    if (isNew) project(event);
    db.exec('COMMIT');
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
}

/** The projection: one event → its rows. Other types are ignored. */
function project({ type, data }: Event) {
  if (type === 'PostCreated') run('INSERT INTO posts VALUES (?, ?)', data.id, data.title);
  if (type === 'CommentCreated')
    run('INSERT INTO comments VALUES (?, ?, ?, ?)', data.id, data.postId, data.content, data.status);
  if (type === 'CommentUpdated') run('UPDATE comments SET status = ? WHERE id = ?', data.status, data.id);
}

const run = (sql: string, ...values: string[]) => db.prepare(sql).run(...values);

const app = express();
app.use(express.json({ limit: '2mb' })); // an event of 1 MiB, and what the bus adds to it

/** The fields without which an event can never be handled. */
const FIELDS = new Map([
  ['PostCreated', ['id', 'title']],
  ['CommentCreated', ['id', 'postId', 'content', 'status']],
  ['CommentUpdated', ['id', 'postId', 'content', 'status']],
]);

app.post('/events', (req, res) => {
  const { type, data } = req.body;
  if (FIELDS.get(type)?.some((field) => typeof data?.[field] !== 'string')) {
    // 422: the same event will be refused each time. An exception is a 500: it may work later.
    res.status(422).send({ error: 'The event lacks a field.' });
    return;
  }
  handle(req.body);
  res.send({});
});

app.get('/posts', (_req, res) => {
  const commentsOf = db.prepare('SELECT id, content, status FROM comments WHERE postId = ? ORDER BY rowid');
  const posts = db.prepare('SELECT id, title FROM posts ORDER BY rowid').all();
  res.send(Object.fromEntries(posts.map((post) => [post.id, { ...post, comments: commentsOf.all(post.id ?? '') }])));
});

app.listen(Number(PORT), '127.0.0.1');
