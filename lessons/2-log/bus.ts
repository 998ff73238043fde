// Step 2, a log on disk: an event is in a file before its publisher gets an answer, and can be read for ever.
import fs from 'node:fs';
import { join } from 'node:path';
import express from 'express';

const { PORT = 4005, SUBSCRIBERS, DATA_DIR = import.meta.dirname } = process.env;
const ourServices = [4000, 4001, 4002, 4003].map((port) => `http://localhost:${port}/events`);
const subscribers = new Set(SUBSCRIBERS?.split(',') ?? ourServices);

type Event = { type: string; data?: unknown };
const file = join(DATA_DIR, 'log.ndjson'); // one event a line, in the order in which they came
let size = 0; // of the file, in bytes
const log = readLog();

function readLog(): Event[] {
  fs.appendFileSync(file, ''); // creates it
  const text = fs.readFileSync(file, 'utf8');
  const lines = text.slice(0, text.lastIndexOf('\n') + 1);
  size = Buffer.byteLength(lines);
  // Cuts off half a line, which a crash has left. Nobody was told that this event is stored.
  if (lines.length < text.length) fs.truncateSync(file, size);
  return lines
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

/** Appends an event. It is on disk when this returns; if the disk is full, this throws and the log is as before. */
function append(event: Event) {
  const line = `${JSON.stringify(event)}\n`;
  try {
    fs.appendFileSync(file, line, { flush: true }); // fsync: without it the line is in the system's memory only
  } catch (error) {
    fs.truncateSync(file, size);
    throw error;
  }
  size += Buffer.byteLength(line);
  log.push(event);
}

const app = express();
app.use(express.json({ limit: '1mb' }));

app.post('/events', (req, res) => {
  const event: Event = { ...req.body };
  if (typeof event.type !== 'string') {
    res.status(400).send({ error: 'An event is a JSON object with a type.' });
    return;
  }
  append(event);
  for (const url of subscribers) push(url, event).catch(() => {}); // a service that is away does not get it
  res.send({ status: 'OK' });
});

app.get('/events', (_req, res) => {
  res.send(log);
});

async function push(url: string, event: Event) {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(event) });
  await answer.body?.cancel(); // only the status counts
}

app.listen(Number(PORT), '127.0.0.1');
