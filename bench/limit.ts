// The limit of one service: a bare Express process that validates as ours do, stores two rows in SQLite, and answers
// once they are on disk. All requests of one turn of the event loop share a commit (group commit). It publishes
// nothing.
import { randomUUIDv7 } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { requestBody, requestText } from '@blog/common/http/input.ts';
import express, { type Response } from 'express';

const { DATA_DIR = '.', HOST = '127.0.0.1', PORT } = process.env;
const db = new DatabaseSync(join(DATA_DIR, 'limit.db'));
db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
db.exec(`CREATE TABLE comments (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, post_id TEXT NOT NULL, content TEXT NOT NULL,
  status TEXT NOT NULL, created_at TEXT NOT NULL) STRICT;
  CREATE TABLE outbox (seq INTEGER PRIMARY KEY, event TEXT NOT NULL) STRICT`);
const insertComment = db.prepare(
  'INSERT INTO comments (id, post_id, content, status, created_at) VALUES (?, ?, ?, ?, ?)',
);
const insertEvent = db.prepare('INSERT INTO outbox (event) VALUES (?)');

type Comment = { id: string; postId: string; content: string; status: string; createdAt: string };
let waiting: { comment: Comment; res: Response }[] = [];

function commit(): void {
  const group = waiting;
  waiting = [];
  db.exec('BEGIN');
  for (const { comment } of group) {
    insertComment.run(comment.id, comment.postId, comment.content, comment.status, comment.createdAt);
    insertEvent.run(JSON.stringify({ type: 'CommentCreated', data: comment }));
  }
  db.exec('COMMIT');
  for (const { comment, res } of group) res.status(201).json(comment);
}

const newComment = requestBody({ content: requestText(2_000) });
const app = express();
app.use(express.json());
app.post('/posts/:id/comments', (req, res) => {
  const parsed = newComment.safeParse(req.body);
  if (!parsed.success) return void res.status(400).json({ status: 400, detail: parsed.error.message });
  const id = randomUUIDv7();
  const comment = {
    id,
    postId: req.params.id,
    content: parsed.data.content,
    status: 'pending',
    createdAt: new Date().toISOString(),
  };
  if (waiting.push({ comment, res }) === 1) setImmediate(commit);
});
app.listen(Number(PORT), HOST, (error) => {
  if (error) throw error;
  console.log('listening');
});
