// The classic version of the query service, kept as an example of what not to do; see README.md.
import axios from 'axios';
import cors from 'cors';
import express from 'express';

const port = Number(process.env.PORT ?? 4002);
const host = process.env.HOST ?? '127.0.0.1';
const bus = process.env.EVENT_BUS_URL ?? 'http://127.0.0.1:4005';

type Comment = { id: string; content: string; status: string };
const posts: Record<string, { id: string; title: string; comments: Comment[] }> = {};

// Anti-pattern: it assumes that each event comes exactly once and in order. One that comes twice is a comment shown
// twice. The guards (`?.`) are for events about posts and comments that this process has never seen.
function handleEvent(type: string, data: { id: string; title: string; postId: string } & Comment) {
  if (type === 'PostCreated') posts[data.id] = { id: data.id, title: data.title, comments: [] };
  if (type === 'CommentCreated') {
    posts[data.postId]?.comments.push({ id: data.id, content: data.content, status: data.status });
  }
  if (type === 'CommentUpdated') {
    const comment = posts[data.postId]?.comments.find(({ id }) => id === data.id);
    if (comment) Object.assign(comment, { content: data.content, status: data.status });
  }
}

const app = express();
app.use(express.json());
app.use(cors());

app.get('/posts', (_req, res) => {
  res.send(posts);
});

app.post('/events', (req, res) => {
  const { type, data } = req.body ?? {};
  handleEvent(type, data);
  res.send({});
});

app.listen(port, host, async (error) => {
  if (error) throw error;
  console.log(`listening on http://${host}:${port}`);
  try {
    // Anti-pattern: every start reads the whole history, while new events already arrive above.
    const { data: events } = await axios.get(`${bus}/events`);
    for (const { type, data } of events) handleEvent(type, data);
  } catch (error) {
    console.log('no history from the bus:', (error as Error).message);
  }
});
