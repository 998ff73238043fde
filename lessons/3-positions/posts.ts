// A service that writes: it stores a post, then tells the bus.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import express from 'express';

const bus = process.env.EVENT_BUS_URL ?? 'http://localhost:4005';
const db = new DatabaseSync(join(process.env.DATA_DIR ?? '.', 'posts.db'));
db.exec('PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS posts (id TEXT PRIMARY KEY, title TEXT) STRICT');

const app = express();
app.use(express.json());

app.post('/posts', async (req, res) => {
  const post = { id: randomUUID(), title: String(req.body.title) };
  db.prepare('INSERT INTO posts (id, title) VALUES (?, ?)').run(post.id, post.title);
  await publish({ type: 'PostCreated', data: post });
  res.status(201).send(post);
});

async function publish(event: unknown) {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch(`${bus}/events`, { method: 'POST', headers, body: JSON.stringify(event) });
  if (!answer.ok) throw new Error(`the bus answered ${answer.status}`);
}

app.post('/events', (_req, res) => {
  res.send({});
});

app.get('/posts', (_req, res) => {
  res.send(db.prepare('SELECT id, title FROM posts ORDER BY rowid').all());
});

app.listen(Number(process.env.PORT ?? 4000), '127.0.0.1');
