// A service that reads: an event's effect and the checkpoint are one transaction, so it knows which events it has.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import express from 'express';

const db = new DatabaseSync(join(process.env.DATA_DIR ?? '.', 'query.db'));
db.exec(`PRAGMA journal_mode = WAL;
  CREATE TABLE IF NOT EXISTS posts (id TEXT, title TEXT) STRICT;
  CREATE TABLE IF NOT EXISTS checkpoint (position INTEGER NOT NULL) STRICT;
  INSERT INTO checkpoint SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM checkpoint)`);

type Event = { position: number; type: string; data: { id: string; title: string } };

const checkpoint = () => db.prepare('SELECT position FROM checkpoint').get()?.position as number;

function handle(event: Event) {
  if (event.position <= checkpoint()) return; // it came before, and its effect is here
  db.exec('BEGIN IMMEDIATE');
  try {
    project(event);
    db.prepare('UPDATE checkpoint SET position = ?').run(event.position);
    db.exec('COMMIT');
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
}

function project({ type, data }: Event) {
  if (type === 'PostCreated') db.prepare('INSERT INTO posts (id, title) VALUES (?, ?)').run(data.id, data.title);
}

const app = express();
app.use(express.json());

app.post('/events', (req, res) => {
  handle(req.body);
  res.send({});
});

app.get('/posts', (_req, res) => {
  res.send(db.prepare('SELECT id, title FROM posts ORDER BY rowid').all());
});

app.listen(Number(process.env.PORT ?? 4002), '127.0.0.1');
