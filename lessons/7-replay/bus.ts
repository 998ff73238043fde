// Step 7, ordering and replay: a subscriber names its checkpoint, so one that lost its database gets the whole log again.
import { randomBytes, randomUUID } from 'node:crypto';
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

/** An event that a subscriber refused: its position in the log. */
type DeadLetter = { id: string; url: string; position: number };
/** The number of events that each subscriber has, by its URL. An event in the dead letters counts as one that it has. */
type State = { logName: string; positions: Record<string, number>; deadLetters: DeadLetter[] };
const stateFile = join(DATA_DIR, 'state.json');
const state: State = { logName: randomBytes(16).toString('hex'), positions: {}, deadLetters: [] };
if (fs.existsSync(stateFile)) Object.assign(state, JSON.parse(fs.readFileSync(stateFile, 'utf8')));

/** Replaces the file in one step: after a crash it is the old one or the new one, never half of one. */
function saveState() {
  fs.writeFileSync(`${stateFile}.new`, JSON.stringify(state));
  fs.renameSync(`${stateFile}.new`, stateFile);
}
saveState(); // the log keeps its name

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

app.get('/dead-letters', (_req, res) => {
  res.send(state.deadLetters.map(({ position, ...letter }) => ({ ...letter, event: log[position] })));
});

/** Sends a dead letter again, once a person has mended the subscriber. */
app.post('/dead-letters/:id/redeliver', async (req, res) => {
  const letter = state.deadLetters.find(({ id }) => id === req.params.id);
  if (!letter) {
    res.status(404).send({ error: 'There is no dead letter with this id.' });
    return;
  }
  try {
    await push(letter.url, log[letter.position] as Event);
  } catch (error) {
    res.status(502).send({ error: (error as Error).message });
    return;
  }
  state.deadLetters = state.deadLetters.filter(({ id }) => id !== letter.id);
  saveState();
  res.send({ status: 'OK' });
});

/** Statuses of a bad event. No answer, or a 500, means a subscriber in trouble: it may take the event later. */
const REFUSALS: unknown[] = [400, 413, 422];
const isParked = (url: string, at: number) => state.deadLetters.some((one) => one.url === url && one.position === at);

/** Asks a subscriber for its checkpoint, until it answers: the number of events that it has, or undefined if it keeps none. */
async function ask(url: string): Promise<number | undefined> {
  let answer: Response | undefined;
  while (!answer) answer = await fetch(url, limits()).catch(() => sleep(Math.random() * 2_000, undefined));
  const body = (await answer.json().catch(() => undefined)) as { checkpoint?: unknown } | undefined;
  const match = /^(?:0|(\d+)-([0-9a-f]{32}))$/.exec(String(body?.checkpoint));
  if (!answer.ok || !match) return undefined;
  return match[2] === state.logName ? Math.min(Number(match[1]), log.length) : 0; // of another log, it has none of this one
}

/** Sends the log to one subscriber, in order. Each has a loop of its own: one that is away, or slow, delays no other. */
async function deliver(url: string) {
  let failures = 0;
  const refusals = new Map<number, number>(); // the number of them, by the event's position
  let isAsked = false;
  for (;;) {
    // The subscriber's word counts more than ours: it may have another database than before.
    if (!isAsked) state.positions[url] = (await ask(url)) ?? state.positions[url] ?? 0;
    isAsked = true;
    let position = state.positions[url] ?? 0;
    while (isParked(url, position)) position += 1;
    if (position >= log.length) {
      await once(news, 'event');
      isAsked = position < log.length; // false if the clock woke it
      continue;
    }
    let after = position; // the subscriber's checkpoint: before the events that it refused
    while (isParked(url, after - 1)) after -= 1;
    const range = { 'Event-After': `${after}-${state.logName}`, 'Event-Upto': `${position + 1}-${state.logName}` };
    try {
      if (refusals.get(position) !== 3) await push(url, log[position] as Event, range);
      else state.deadLetters.push({ id: randomUUID(), url, position }); // saved with the position, below: in one step
      refusals.delete(position);
      failures = 0;
      state.positions[url] = position + 1;
      // A crash before this line: the event is sent again. It may come twice, but it comes.
      saveState();
    } catch (error) {
      failures += 1;
      isAsked = false;
      const isRefusal = REFUSALS.includes((error as Error).cause);
      if (isRefusal) refusals.set(position, (refusals.get(position) ?? 0) + 1);
      // Exponential backoff with full jitter: the more failures, the longer the pause, and no two loops in step.
      await sleep(Math.random() * Math.min(2_000, 50 * 2 ** failures));
    }
  }
}

/** Limits of a request: a subscriber that hangs counts as away, and a redirect is no 2xx. */
const limits = () => ({ signal: AbortSignal.timeout(Number(DELIVERY_TIMEOUT_MS)), redirect: 'manual' as const });

async function push(url: string, event: Event, range: Record<string, string> = {}) {
  const headers = { 'Content-Type': 'application/json', ...range };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(event), ...limits() });
  await answer.body?.cancel(); // only the status counts
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`, { cause: answer.status });
}

for (const url of subscribers) deliver(url);
setInterval(() => news.emit('event'), 5_000); // a subscriber may lose its database while nothing happens

app.listen(Number(PORT), '127.0.0.1');
