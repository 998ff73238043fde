// Step 1, fan-out: each event is sent to every service, once.
import express from 'express';

const subscribers = (process.env.SUBSCRIBERS ?? 'http://localhost:4000,http://localhost:4002').split(',');

const app = express();
app.use(express.json());

app.post('/events', (req, res) => {
  for (const url of subscribers) push(url, req.body).catch(() => {}); // a service that is away does not get it
  res.send({ status: 'OK' });
});

async function push(url: string, event: unknown) {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch(`${url}/events`, { method: 'POST', headers, body: JSON.stringify(event) });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
}

app.listen(Number(process.env.PORT ?? 4005), '127.0.0.1');
