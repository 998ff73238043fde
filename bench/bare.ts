// The limit of a read: a bare Express route that sends the bytes of a file, read once.
import { readFileSync } from 'node:fs';
import express from 'express';

const { BYTES = '', TYPE = 'application/json; charset=utf-8', HOST = '127.0.0.1', PORT } = process.env;
const bytes = readFileSync(BYTES);
const app = express();
// As ours do: the clients never send If-None-Match, and hashing each answer is not part of sending bytes.
app.disable('etag');
app.get('/posts', (_req, res) => {
  res.set('Content-Type', TYPE).send(bytes);
});
app.listen(Number(PORT), HOST, (error) => {
  if (error) throw error;
  console.log('listening');
});
