// Step 1, fan-out: each event is sent to every service, once.
import express from 'express';

const { PORT = 4005, SUBSCRIBERS } = process.env;
const ourServices = [4000, 4001, 4002, 4003].map((port) => `http://localhost:${port}/events`);
const subscribers = new Set(SUBSCRIBERS?.split(',') ?? ourServices);

type Event = { type: string; data?: unknown };

const app = express();
app.use(express.json({ limit: '1mb' }));

app.post('/events', (req, res) => {
  const event: Event = req.body;
  for (const url of subscribers) push(url, event).catch(() => {}); // a service that is away does not get it
  res.send({ status: 'OK' });
});

async function push(url: string, event: Event) {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(event) });
  await answer.body?.cancel(); // only the status counts
}

app.listen(Number(PORT), '127.0.0.1');
