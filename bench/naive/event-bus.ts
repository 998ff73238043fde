// The classic version of the event bus, kept as an example of what not to do; see README.md.
import axios from 'axios';
import express from 'express';

const port = Number(process.env.PORT ?? 4005);
const host = process.env.HOST ?? '127.0.0.1';
const subscribers = [
  process.env.POSTS_URL ?? 'http://127.0.0.1:4000',
  process.env.COMMENTS_URL ?? 'http://127.0.0.1:4001',
  process.env.QUERY_URL ?? 'http://127.0.0.1:4002',
  process.env.MODERATION_URL ?? 'http://127.0.0.1:4003',
];

// Anti-pattern: the history of the whole system is in one process's memory, and grows without a limit.
const events: unknown[] = [];

const app = express();
app.use(express.json());

app.post('/events', (req, res) => {
  const event = req.body ?? {}; // in Express 4 a body of an unknown media type was `{}`
  events.push(event);
  // Anti-pattern: fire and forget. A service that is down never gets the event, and two events may overtake each other.
  for (const url of subscribers) {
    axios.post(`${url}/events`, event).catch((error) => console.log('not delivered:', error.message));
  }
  res.send({ status: 'OK' }); // answered before any service has the event
});

app.get('/events', (_req, res) => {
  res.send(events);
});

app.listen(port, host, (error) => {
  if (error) throw error;
  console.log(`listening on http://${host}:${port}`);
});
