// Step 2, a log on disk: an event is in a file before its publisher gets an answer, and can be read for ever.
import fs from 'node:fs';
import { join } from 'node:path';
import express from 'express';

const subscribers = (process.env.SUBSCRIBERS ?? 'http://localhost:4000,http://localhost:4002').split(',');

type Event = { type: string; data: unknown };
const file = join(process.env.DATA_DIR ?? '.', 'log.ndjson'); // an event a line
const log = readLog();

function readLog(): Event[] {
  const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  // A line that a crash cut short was never acknowledged.
  if (whole.length < text.length) fs.truncateSync(file, Buffer.byteLength(whole));
  return whole
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

function append(event: Event) {
  const opened = fs.openSync(file, 'a');
  fs.appendFileSync(opened, `${JSON.stringify(event)}\n`);
  fs.fsyncSync(opened); // until here the line may be in the memory of the operating system only
  fs.closeSync(opened);
  log.push(event);
}

const app = express();
app.use(express.json());

app.post('/events', (req, res) => {
  append(req.body);
  for (const url of subscribers) push(url, req.body).catch(() => {}); // a service that is away does not get it
  res.send({ status: 'OK' });
});

app.get('/events', (_req, res) => {
  res.send(log);
});

async function push(url: string, event: Event) {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch(`${url}/events`, { method: 'POST', headers, body: JSON.stringify(event) });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
}

app.listen(Number(process.env.PORT ?? 4005), '127.0.0.1');
