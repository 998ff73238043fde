// A service that reads: it makes rows of the events, and shows them.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import express from 'express';

const db = new DatabaseSync(join(process.env.DATA_DIR ?? '.', 'query.db'));
db.exec('PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS posts (id TEXT, title TEXT) STRICT');

type Event = { type: string; data: { id: string; title: string } };

function project({ type, data }: Event) {
  if (type === 'PostCreated') db.prepare('INSERT INTO posts (id, title) VALUES (?, ?)').run(data.id, data.title);
}

const app = express();
app.use(express.json());

app.post('/events', (req, res) => {
  project(req.body);
  res.send({});
});

app.get('/posts', (_req, res) => {
  res.send(db.prepare('SELECT id, title FROM posts ORDER BY rowid').all());
});

app.listen(Number(process.env.PORT ?? 4002), '127.0.0.1');
