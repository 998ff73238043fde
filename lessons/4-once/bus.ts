// Step 4, each event once: an event has an id and a position, so that whoever meets it again recognises it.
import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';

const subscribers = (process.env.SUBSCRIBERS ?? 'http://localhost:4000,http://localhost:4002').split(',');

type Event = { id: string; position: number; type: string; data: unknown };
const folder = process.env.DATA_DIR ?? '.';
const file = join(folder, 'log.ndjson'); // an event a line
const log = readLog();
const positions = new Map(log.map(({ id, position }) => [id, position]));
const news = new EventEmitter();

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

/** Appends an event that is new. A publisher that had no answer sends it again, and must not get a second one. */
function append(given: Partial<Event>): Event {
  const earlier = positions.get(given.id ?? '');
  if (earlier) return log[earlier - 1] as Event;
  const event = { ...given, id: given.id ?? randomUUID(), position: log.length + 1 } as Event;
  const opened = fs.openSync(file, 'a');
  fs.appendFileSync(opened, `${JSON.stringify(event)}\n`);
  fs.fsyncSync(opened); // until here the line may be in the memory of the operating system only
  fs.closeSync(opened);
  log.push(event);
  positions.set(event.id, event.position);
  news.emit('event');
  return event;
}

const app = express();
app.use(express.json());

app.post('/events', (req, res) => {
  const { id, position } = append(req.body);
  res.send({ status: 'OK', id, position });
});

app.get('/events', (_req, res) => {
  res.send(log);
});

/** Sends the log to one subscriber, in order. A subscriber that is away, or slow, delays no other. */
async function deliver(url: string) {
  const kept = join(folder, `position-${encodeURIComponent(url)}`);
  let position = fs.existsSync(kept) ? Number(fs.readFileSync(kept, 'utf8')) : 0; // the number of events that it has
  for (let failures = 0; ; ) {
    if (position === log.length) await once(news, 'event');
    try {
      await push(url, log[position] as Event);
    } catch {
      failures += 1;
      // Exponential backoff with full jitter: the more failures, the longer the pause; no two loops in step.
      await sleep(Math.random() * Math.min(2_000, 50 * 2 ** failures));
      continue;
    }
    failures = 0;
    position += 1;
    // A crash before this line: the event is sent again. It may come twice, but it comes.
    fs.writeFileSync(`${kept}.new`, String(position));
    fs.renameSync(`${kept}.new`, kept);
  }
}
for (const url of subscribers) deliver(url);

async function push(url: string, event: Event) {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch(`${url}/events`, {
    method: 'POST',
    headers,
    body: JSON.stringify(event),
    signal: AbortSignal.timeout(5_000), // one that hangs is one that is away
  });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
}

app.listen(Number(process.env.PORT ?? 4005), '127.0.0.1');
