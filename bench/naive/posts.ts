// The classic version of the posts service, kept as an example of what not to do; see README.md.
import { randomBytes } from 'node:crypto';
import axios from 'axios';
import cors from 'cors';
import express, { type Request, type Response } from 'express';

const port = Number(process.env.PORT ?? 4000);
const host = process.env.HOST ?? '127.0.0.1';
const bus = process.env.EVENT_BUS_URL ?? 'http://127.0.0.1:4005';

// Anti-pattern: the only copy is in this process's memory.
const posts: Record<string, { id: string; title: string }> = {};

async function createPost(req: Request, res: Response) {
  const id = randomBytes(4).toString('hex');
  const { title } = req.body;
  posts[id] = { id, title };
  // Anti-pattern: a dual write. If the bus is down, the post is stored here, but no other service ever hears of it.
  await axios.post(`${bus}/events`, { type: 'PostCreated', data: { id, title } });
  res.status(201).send(posts[id]);
}

const app = express();
app.use(express.json());
app.use(cors());

app.get('/posts', (_req, res) => {
  res.send(posts);
});

app.post('/posts', createPost);
app.post('/posts/create', createPost);

app.post('/events', (req, res) => {
  console.log('event received', req.body?.type);
  res.send({});
});

app.listen(port, host, (error) => {
  if (error) throw error;
  console.log(`listening on http://${host}:${port}`);
});
