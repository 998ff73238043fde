// A service that reads: at its start it makes rows of the whole log, then of each event that comes.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import express from 'express';

const { PORT = 4002, EVENT_BUS_URL = 'http://localhost:4005', DATA_DIR = import.meta.dirname } = process.env;
const db = new DatabaseSync(join(DATA_DIR, 'query.db'));
db.exec(`PRAGMA journal_mode = WAL;
  CREATE TABLE IF NOT EXISTS posts (id TEXT NOT NULL, title TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS comments
    (id TEXT NOT NULL, postId TEXT NOT NULL, content TEXT NOT NULL, status TEXT NOT NULL) STRICT`);

type Event = { type: string; data: { id: string; title: string; postId: string; content: string; status: string } };

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

app.post('/events', (req, res) => {
  project(req.body);
  res.send({});
});

app.get('/posts', (_req, res) => {
  const commentsOf = db.prepare('SELECT id, content, status FROM comments WHERE postId = ? ORDER BY rowid');
  const posts = db.prepare('SELECT id, title FROM posts ORDER BY rowid').all();
  res.send(Object.fromEntries(posts.map((post) => [post.id, { ...post, comments: commentsOf.all(post.id ?? '') }])));
});

const answer = await fetch(`${EVENT_BUS_URL}/events`).catch(() => undefined);
if (answer?.ok) {
  const history = (await answer.json()) as Event[];
  db.exec('BEGIN; DELETE FROM posts; DELETE FROM comments');
  for (const event of history) {
    try {
      project(event);
    } catch (error) {
      console.error('an event of the log was left out:', error);
    }
  }
  db.exec('COMMIT');
}

app.listen(Number(PORT), '127.0.0.1');
