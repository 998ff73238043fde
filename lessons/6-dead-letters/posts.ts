// A service that writes: a post and the event that announces it are one transaction. A relay tells the bus afterwards.
import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';

const bus = process.env.EVENT_BUS_URL ?? 'http://localhost:4005';
const db = new DatabaseSync(join(process.env.DATA_DIR ?? '.', 'posts.db'));
db.exec(`PRAGMA journal_mode = WAL;
  CREATE TABLE IF NOT EXISTS posts (id TEXT PRIMARY KEY, title TEXT) STRICT;
  CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL) STRICT`);
const news = new EventEmitter();

const app = express();
app.use(express.json());

app.post('/posts', (req, res) => {
  const post = { id: randomUUID(), title: String(req.body.title) };
  const event = { id: `${post.id}/PostCreated`, type: 'PostCreated', data: post };
  db.exec('BEGIN IMMEDIATE');
  try {
    db.prepare('INSERT INTO posts (id, title) VALUES (?, ?)').run(post.id, post.title);
    db.prepare('INSERT INTO outbox (event) VALUES (?)').run(JSON.stringify(event));
    db.exec('COMMIT');
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
  news.emit('event');
  res.status(201).send(post); // stored, and it will be published, whatever dies
});

/** Sends the outbox to the bus, in order, and deletes what the bus has. */
async function relay() {
  for (let failures = 0; ; ) {
    const row = db.prepare('SELECT seq, event FROM outbox ORDER BY seq LIMIT 1').get();
    if (!row) {
      await once(news, 'event');
      continue;
    }
    try {
      await publish(String(row.event));
      db.prepare('DELETE FROM outbox WHERE seq = ?').run(row.seq as number);
      failures = 0;
    } catch {
      failures += 1;
      await sleep(Math.random() * Math.min(2_000, 50 * 2 ** failures));
    }
  }
}
relay();

async function publish(event: string) {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch(`${bus}/events`, { method: 'POST', headers, body: event });
  if (!answer.ok) throw new Error(`the bus answered ${answer.status}`);
}

app.post('/events', (_req, res) => {
  res.send({});
});

app.get('/posts', (_req, res) => {
  res.send(db.prepare('SELECT id, title FROM posts ORDER BY rowid').all());
});

app.listen(Number(process.env.PORT ?? 4000), '127.0.0.1');
