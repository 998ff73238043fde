// Step 5, an outbox: nothing new here. This step is about the service that publishes, posts.ts.
import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';

const { PORT = 4005, SUBSCRIBERS, DATA_DIR = import.meta.dirname, DELIVERY_TIMEOUT_MS = 5_000 } = process.env;
const ourServices = [4000, 4001, 4002, 4003].map((port) => `http://localhost:${port}/events`);
const subscribers = new Set(SUBSCRIBERS?.split(',') ?? ourServices);

type Event = { id: string; type: string; data?: unknown };
const file = join(DATA_DIR, 'log.ndjson'); // one event a line, in the order in which they came
let size = 0; // of the file, in bytes
const log = readLog();
const ids = new Set(log.map(({ id }) => id));
const news = new EventEmitter().setMaxListeners(0); // each loop below waits for it

/** The number of events that each subscriber has, by its URL. */
type State = { positions: Record<string, number> };
const stateFile = join(DATA_DIR, 'state.json');
const state: State = { positions: {} };
if (fs.existsSync(stateFile)) Object.assign(state, JSON.parse(fs.readFileSync(stateFile, 'utf8')));

/** Replaces the file in one step: after a crash it is the old one or the new one, never half of one. */
function saveState() {
  fs.writeFileSync(`${stateFile}.new`, JSON.stringify(state));
  fs.renameSync(`${stateFile}.new`, stateFile);
}

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

/** Appends an event that is new. It is on disk when this returns; if the disk is full, this throws and the log is as before. */
function append(event: Event) {
  if (ids.has(event.id)) return; // a publisher that got no answer sends it again
  const line = `${JSON.stringify(event)}\n`;
  try {
    fs.appendFileSync(file, line, { flush: true }); // fsync: without it the line is in the system's memory only
  } catch (error) {
    fs.truncateSync(file, size);
    throw error;
  }
  size += Buffer.byteLength(line);
  log.push(event);
  ids.add(event.id);
  news.emit('event');
}

const app = express();
app.use(express.json({ limit: '1mb' }));

app.post('/events', (req, res) => {
  const event: Event = { ...req.body, id: req.body?.id ?? randomUUID() };
  if (typeof event.type !== 'string' || typeof event.id !== 'string') {
    res.status(400).send({ error: 'An event is a JSON object with a type; an id is a string.' });
    return;
  }
  append(event);
  res.send({ status: 'OK', id: event.id });
});

app.get('/events', (_req, res) => {
  res.send(log);
});

/** Sends the log to one subscriber, in order. Each has a loop of its own: one that is away, or slow, delays no other. */
async function deliver(url: string) {
  let failures = 0;
  for (;;) {
    const position = state.positions[url] ?? 0;
    if (position >= log.length) {
      await once(news, 'event');
      continue;
    }
    try {
      await push(url, log[position] as Event);
      failures = 0;
      state.positions[url] = position + 1;
      // A crash before this line: the event is sent again. It may come twice, but it comes.
      saveState();
    } catch {
      failures += 1;
      // Exponential backoff with full jitter: the more failures, the longer the pause, and no two loops in step.
      await sleep(Math.random() * Math.min(2_000, 50 * 2 ** failures));
    }
  }
}

/** Limits of a request: a subscriber that hangs counts as away, and a redirect is no 2xx. */
const limits = () => ({ signal: AbortSignal.timeout(Number(DELIVERY_TIMEOUT_MS)), redirect: 'manual' as const });

async function push(url: string, event: Event) {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(event), ...limits() });
  await answer.body?.cancel(); // only the status counts
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
}

for (const url of subscribers) deliver(url);

app.listen(Number(PORT), '127.0.0.1');
