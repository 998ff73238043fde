// The classic version of the comments service, kept as an example of what not to do; see README.md.
import { randomBytes } from 'node:crypto';
import axios from 'axios';
import cors from 'cors';
import express from 'express';

const port = Number(process.env.PORT ?? 4001);
const host = process.env.HOST ?? '127.0.0.1';
const bus = process.env.EVENT_BUS_URL ?? 'http://127.0.0.1:4005';

// Anti-pattern: the only copy is in this process's memory.
const commentsByPost: Record<string, { id: string; content: string; status: string }[]> = {};

const app = express();
app.use(express.json());
app.use(cors());

app.get('/posts/:id/comments', (req, res) => {
  res.send(commentsByPost[req.params.id] ?? []);
});

app.post('/posts/:id/comments', async (req, res) => {
  const comment = { id: randomBytes(4).toString('hex'), content: req.body.content, status: 'pending' };
  const postId = req.params.id; // not validated: comments does not know which posts exist
  const comments = commentsByPost[postId] ?? [];
  comments.push(comment);
  commentsByPost[postId] = comments;
  await axios.post(`${bus}/events`, { type: 'CommentCreated', data: { ...comment, postId } });
  res.status(201).send(comments); // all comments of the post, the new one last
});

app.post('/events', async (req, res) => {
  const { type, data } = req.body ?? {};
  if (type === 'CommentModerated') {
    const comment = commentsByPost[data.postId]?.find(({ id }) => id === data.id);
    // Guard: a bus with a history sends verdicts on comments that this process, which started empty, has never seen.
    if (comment) {
      comment.status = data.status;
      await axios.post(`${bus}/events`, { type: 'CommentUpdated', data: { ...comment, postId: data.postId } });
    }
  }
  res.send({});
});

app.listen(port, host, (error) => {
  if (error) throw error;
  console.log(`listening on http://${host}:${port}`);
});
