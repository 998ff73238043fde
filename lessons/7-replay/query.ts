// A service that reads: an event's effect and the checkpoint are one transaction, so it knows which events it has.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import express from 'express';

const db = new DatabaseSync(join(process.env.DATA_DIR ?? '.', 'query.db'));
db.exec(`PRAGMA journal_mode = WAL;
  CREATE TABLE IF NOT EXISTS posts (id TEXT PRIMARY KEY, title TEXT) STRICT;
  CREATE TABLE IF NOT EXISTS comments (id TEXT PRIMARY KEY, content TEXT, status TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS checkpoint (position INTEGER NOT NULL) STRICT;
  INSERT INTO checkpoint SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM checkpoint)`);

type Event = {
  position: number;
  type: string;
  data: { id: string; title?: string; content?: string; status?: string };
  redelivered?: boolean;
};

const checkpoint = () => db.prepare('SELECT position FROM checkpoint').get()?.position as number;

function handle(event: Event) {
  if (event.position <= checkpoint() && !event.redelivered) return; // it came before, and its effect is here
  db.exec('BEGIN IMMEDIATE');
  try {
    project(event);
    db.prepare('UPDATE checkpoint SET position = max(position, ?)').run(event.position);
    db.exec('COMMIT');
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
}

/** The first verdict stands, whichever comes later, however often. A verdict may come before its comment. */
const SHOW = `INSERT INTO comments (id, content, status) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE
  SET content = coalesce(content, excluded.content), status = iif(status = 'pending', excluded.status, status)`;

function project({ type, data }: Event) {
  if (type === 'PostCreated')
    db.prepare('INSERT OR IGNORE INTO posts (id, title) VALUES (?, ?)').run(data.id, data.title ?? null);
  if (type === 'CommentCreated') db.prepare(SHOW).run(data.id, data.content ?? null, 'pending');
  if (type === 'CommentUpdated') db.prepare(SHOW).run(data.id, data.content ?? null, data.status ?? 'pending');
}

const app = express();
app.use(express.json());

app.post('/events', (req, res) => {
  const { type, data } = req.body;
  // 4xx: this event can never be handled. An exception is a 500: it may work later.
  if (/^(Post|Comment)/.test(type) && typeof data?.id !== 'string')
    return void res.status(422).send({ error: 'The event needs an id.' });
  handle(req.body);
  res.send({});
});

/** Where this database stands; 0 for a new one. */
app.get('/events', (_req, res) => {
  res.send({ position: checkpoint() });
});

app.get('/comments', (_req, res) => {
  res.send(db.prepare('SELECT id, content, status FROM comments ORDER BY rowid').all());
});

app.get('/posts', (_req, res) => {
  res.send(db.prepare('SELECT id, title FROM posts ORDER BY rowid').all());
});

app.listen(Number(process.env.PORT ?? 4002), '127.0.0.1');
