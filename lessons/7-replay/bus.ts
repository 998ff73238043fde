// Step 7, ordering and replay: a subscriber is asked where it stands, so one that lost its database gets all of it again.
import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';

const subscribers = (process.env.SUBSCRIBERS ?? 'http://localhost:4000,http://localhost:4002').split(',');

type Event = { id: string; position: number; type: string; data: unknown; redelivered?: boolean };
const folder = process.env.DATA_DIR ?? '.';
const file = join(folder, 'log.ndjson'); // an event a line
const log = readLog();
const positions = new Map(log.map(({ id, position }) => [id, position]));
const news = new EventEmitter();

type DeadLetter = { url: string; event: Event; reason: string };
const parked = join(folder, 'dead-letters.json');
let deadLetters: DeadLetter[] = fs.existsSync(parked) ? JSON.parse(fs.readFileSync(parked, 'utf8')) : [];

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

function keep(letters: DeadLetter[]) {
  deadLetters = letters;
  write(parked, JSON.stringify(letters));
}

app.get('/dead-letters', (_req, res) => {
  res.send(deadLetters);
});

/** A person mended the subscriber: the event is sent again. */
app.post('/dead-letters/:position/redeliver', async (req, res) => {
  const letters = deadLetters.filter(({ event }) => event.position === Number(req.params.position));
  for (const { url, event } of letters) await push(url, { ...event, redelivered: true });
  keep(deadLetters.filter((letter) => !letters.includes(letter)));
  res.send({ redelivered: letters.length });
});

/** Replaces a file: a reader, or a crash, finds the old one or the new one. */
function write(name: string, text: string) {
  fs.writeFileSync(`${name}.new`, text, { flush: true });
  fs.renameSync(`${name}.new`, name);
}

/** Sends the log to one subscriber, in order. A subscriber that is away, or slow, delays no other. */
async function deliver(url: string) {
  const kept = join(folder, `position-${encodeURIComponent(url)}`);
  let position = fs.existsSync(kept) ? Number(fs.readFileSync(kept, 'utf8')) : 0; // the number of events that it has
  for (let failures = 1; ; ) {
    // After every pause: it may be another process by now, or have another database.
    if (failures > 0) position = (await stand(url)) ?? position;
    if (position === log.length) await once(news, 'event');
    try {
      await push(url, log[position] as Event);
    } catch (error) {
      failures += 1;
      const { message } = error as Error;
      // A refusal says that the event is bad; no answer, or a 5xx, says that the subscriber is.
      if (failures >= 3 && / answered 4\d\d$/.test(message)) {
        const event = log[position] as Event;
        keep([...deadLetters, { url, event, reason: message }]);
      } else {
        // Exponential backoff with full jitter: the more failures, the longer the pause; no two loops in step.
        await sleep(Math.random() * Math.min(2_000, 50 * 2 ** failures));
        continue;
      }
    }
    failures = 0;
    position += 1;
    // A crash before this line: the event is sent again. It may come twice, but it comes.
    write(kept, String(position));
  }
}
for (const url of subscribers) deliver(url);

/** The position up to which a subscriber has the log, as its own database says. One that does not say has the bus's word. */
async function stand(url: string): Promise<number | undefined> {
  const answer = await fetch(`${url}/events`, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
  const body = answer?.ok ? ((await answer.json().catch(() => undefined)) as { position?: unknown }) : undefined;
  return typeof body?.position === 'number' ? Math.min(body.position, log.length) : undefined;
}

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
