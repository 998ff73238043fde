// A service that writes: a post and its event are one transaction, and a relay tells the bus afterwards.
import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';

const { PORT = 4000, EVENT_BUS_URL = 'http://localhost:4005', DATA_DIR = import.meta.dirname } = process.env;
const db = new DatabaseSync(join(DATA_DIR, 'posts.db'));
db.exec(`PRAGMA journal_mode = WAL;
  CREATE TABLE IF NOT EXISTS posts (id TEXT PRIMARY KEY, title TEXT) STRICT;
  CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL) STRICT`);
const news = new EventEmitter();

const app = express();

app.post('/posts', express.json(), (req, res) => {
  const title = req.body?.title;
  if (typeof title !== 'string') {
    res.status(400).send({ error: 'A post needs a title.' });
    return;
  }
  const post = { id: randomUUID(), title };
  // The id is derived from the post, so the bus recognises the event if the relay sends it again.
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

/** Sends the outbox to the bus, in order. An event is deleted once the bus has it. */
async function relay() {
  let failures = 0;
  for (;;) {
    try {
      const row = db.prepare('SELECT seq, event FROM outbox ORDER BY seq LIMIT 1').get();
      if (row) {
        await publish(String(row.event));
        // A crash before this line: the event is sent again.
        db.prepare('DELETE FROM outbox WHERE seq = ?').run(Number(row.seq));
      } else {
        await once(news, 'event');
      }
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
  const signal = AbortSignal.timeout(5_000);
  const answer = await fetch(`${EVENT_BUS_URL}/events`, { method: 'POST', headers, body: event, signal });
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
