// A service that writes: it stores a post, and then tells the bus.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import express from 'express';

const { PORT = 4000, EVENT_BUS_URL = 'http://localhost:4005', DATA_DIR = import.meta.dirname } = process.env;
const db = new DatabaseSync(join(DATA_DIR, 'posts.db'));
db.exec('PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS posts (id TEXT PRIMARY KEY, title TEXT) STRICT');

const app = express();

app.post('/posts', express.json(), async (req, res) => {
  const title = req.body?.title;
  if (typeof title !== 'string') {
    res.status(400).send({ error: 'A post needs a title.' });
    return;
  }
  const post = { id: randomUUID(), title };
  db.prepare('INSERT INTO posts (id, title) VALUES (?, ?)').run(post.id, post.title);
  await publish({ type: 'PostCreated', data: post });
  res.status(201).send(post);
});

async function publish(event: unknown) {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch(`${EVENT_BUS_URL}/events`, { method: 'POST', headers, body: JSON.stringify(event) });
  await answer.body?.cancel();
  if (!answer.ok) throw new Error(`the bus answered ${answer.status}`);
}

app.get('/posts', (_req, res) => {
  const posts = db.prepare('SELECT id, title FROM posts ORDER BY rowid').all();
  res.send(Object.fromEntries(posts.map((post) => [post.id, post])));
});

/** Answers every event with a 200: posts handles none. */
app.post('/events', (_req, res) => {
  res.send({});
});

app.listen(Number(PORT), '127.0.0.1');
