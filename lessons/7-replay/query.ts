// A service that reads: an event's rows and the checkpoint are one transaction, so it knows up to where it has the log.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import express from 'express';

const { PORT = 4002, DATA_DIR = import.meta.dirname } = process.env;
const db = new DatabaseSync(join(DATA_DIR, 'query.db'));
db.exec(`PRAGMA journal_mode = WAL;
  CREATE TABLE IF NOT EXISTS checkpoint (id INTEGER PRIMARY KEY, upto TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS posts (id TEXT PRIMARY KEY, title TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS comments
    (id TEXT PRIMARY KEY, postId TEXT NOT NULL, content TEXT NOT NULL, status TEXT NOT NULL) STRICT`);

type Event = {
  type: string;
  data: { id: string; title: string; postId: string; content: string; status: string };
};

const checkpoint = () => String(db.prepare('SELECT upto FROM checkpoint').get()?.upto ?? '0');

/** Handles an event: its rows and the checkpoint behind it are one transaction. A redelivered event has none. */
function handle(event: Event, upto?: string) {
  db.exec('BEGIN IMMEDIATE');
  try {
    project(event);
    if (upto) run('INSERT OR REPLACE INTO checkpoint VALUES (1, ?)', upto);
    db.exec('COMMIT');
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
}

/** The first verdict stands, whichever comes later, and however often. A verdict may come before its comment. */
const STORE = `INSERT INTO comments VALUES (?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET status = iif(status = 'pending', excluded.status, status)`;

/** The projection: one event → its rows. An event applied again changes nothing. Other types are ignored. */
function project({ type, data }: Event) {
  if (type === 'PostCreated') run('INSERT OR IGNORE INTO posts VALUES (?, ?)', data.id, data.title);
  if (type === 'CommentCreated' || type === 'CommentUpdated')
    run(STORE, data.id, data.postId, data.content, data.status);
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
  const [after, upto = '', here] = [req.get('Event-After'), req.get('Event-Upto'), checkpoint()];
  const isNext = !after || after === here || (here === '0' && after.startsWith('0-'));
  if (isNext) handle(req.body, upto);
  const isRepeated = upto.slice(-32) === here.slice(-32) && Number.parseInt(upto, 10) <= Number.parseInt(here, 10);
  // 409: events are missing before it, or it is of another log. The bus asks for the checkpoint.
  res.status(isNext || isRepeated ? 200 : 409).send({ checkpoint: checkpoint() });
});

/** Answers the bus's question: up to where this database has the log. */
app.get('/events', (_req, res) => {
  res.send({ checkpoint: checkpoint() });
});

app.get('/posts', (_req, res) => {
  const commentsOf = db.prepare('SELECT id, content, status FROM comments WHERE postId = ? ORDER BY rowid');
  const posts = db.prepare('SELECT id, title FROM posts ORDER BY rowid').all();
  res.send(Object.fromEntries(posts.map((post) => [post.id, { ...post, comments: commentsOf.all(post.id ?? '') }])));
});

app.listen(Number(PORT), '127.0.0.1');
