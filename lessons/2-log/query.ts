// A service that reads: at its start it makes rows of the whole history, then of each event that comes.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import express from 'express';

const bus = process.env.EVENT_BUS_URL ?? 'http://localhost:4005';
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

db.exec('DELETE FROM posts');
const history = await fetch(`${bus}/events`)
  .then((answer) => answer.json() as Promise<Event[]>)
  .catch(() => []);
for (const event of history) project(event);

app.listen(Number(process.env.PORT ?? 4002), '127.0.0.1');
