// A bus that keeps the contract up to step 7, and can be given one fault: `node faulty-bus.ts NAME`. The grader has to find each.
import { randomBytes, randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';
import { FAULTS } from './faults.ts';

const { PORT, SUBSCRIBERS = '', DATA_DIR = '', DELIVERY_TIMEOUT_MS = 5_000 } = process.env;
const [, , fault] = process.argv;
if (fault !== undefined && !FAULTS.some(({ name }) => name === fault)) throw new Error(`There is no fault ${fault}.`);
const has = (name: (typeof FAULTS)[number]['name']) => fault === name;

type Event = { id: string; type: string; data?: unknown };
type DeadLetter = { id: string; url: string; position: number };

const file = join(DATA_DIR, 'log.ndjson');
const stateFile = join(DATA_DIR, 'state.json');
const state = {
  name: randomBytes(16).toString('hex'),
  positions: {} as Record<string, number>,
  letters: [] as DeadLetter[],
};
const isRestart = fs.existsSync(stateFile);
if (isRestart) Object.assign(state, JSON.parse(fs.readFileSync(stateFile, 'utf8')));
if (has('forgets positions at a restart')) state.positions = {};

/** The subscribers whose position is stored as if they had taken what is being pushed: with one of the faults. */
const pushing = new Set<string>();

function save() {
  const letters = has('keeps dead letters in memory only') ? [] : state.letters;
  const positions = { ...state.positions };
  for (const url of pushing) positions[url] = (positions[url] ?? 0) + 1;
  fs.writeFileSync(`${stateFile}.new`, JSON.stringify({ ...state, letters, positions }));
  fs.renameSync(`${stateFile}.new`, stateFile);
}
save();

const lines = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
fs.writeFileSync(file, lines.slice(0, lines.lastIndexOf('\n') + 1)); // without half a line
const log: Event[] = lines
  .split('\n')
  .slice(0, -1)
  .map((line) => JSON.parse(line))
  .filter((_, i) => !(has('loses one event in a hundred at a restart') && i % 100 === 50));
const listed = [...log];
const ids = new Set(has('forgets ids at a restart') ? [] : log.map(({ id }) => id));
const news = new EventEmitter().setMaxListeners(0);
const kept: Buffer[] = [];
let publishing = 0;

function write(event: Event) {
  const write = () => fs.appendFileSync(file, `${JSON.stringify(event)}\n`, { flush: true });
  if (has('acknowledges before the write')) setTimeout(write, 10_000);
  else write();
}

async function append(event: Event) {
  if (ids.has(event.id)) return;
  if (has('checks an id too early')) await sleep(20);
  ids.add(event.id);
  publishing += 1;
  if (has('lists concurrent events in another order')) await sleep(5);
  const isMixed = has('lists concurrent events in another order') && publishing > 1;
  publishing -= 1;
  write(event);
  log.push(event);
  listed.splice(isMixed ? listed.length - 1 : listed.length, 0, event);
  news.emit('event');
}

const app = express();
app.use(express.json({ limit: '1mb' }));

/** The event of a body, as this bus stores it. */
function eventOf({ id = randomUUID(), ...event }: Event): Event {
  if (has('drops unknown fields')) return { id, type: event.type, data: event.data };
  const text = JSON.stringify(event);
  if (has('truncates large events') && text.length > 40_000)
    return { id, ...event, data: { ...(event.data as object), title: text.slice(0, 40_000) } };
  return { id, ...event };
}

app.post('/events', async (req, res) => {
  const isEvent = typeof req.body?.type === 'string';
  if (!isEvent && !has('acknowledges what is no event')) return res.sendStatus(400);
  if (isEvent) await append(eventOf(req.body));
  res.send({ status: 'OK' });
});
app.get('/events', (_req, res) => res.send(listed));
app.get('/dead-letters', (_req, res) =>
  res.send(state.letters.map(({ id, position }) => ({ id, event: log[position] }))),
);
app.post('/dead-letters/:id/redeliver', async (req, res) => {
  const letter = state.letters.find(({ id }) => id === req.params.id);
  if (!letter) return res.sendStatus(404);
  const urls = has('redelivers to every subscriber') ? subscribers : [letter.url];
  const statuses = await Promise.all(urls.map((url) => push(url, log[letter.position] as Event)));
  const isTaken = statuses.every(isSuccess);
  if (isTaken || has('forgets a dead letter that is refused again'))
    state.letters = state.letters.filter((one) => one !== letter);
  save();
  res.sendStatus(isTaken ? 200 : 502);
});

const isSuccess = (status: number) => status >= 200 && status < 300;
const limits = () => ({
  signal: has('waits for a hanging subscriber') ? undefined : AbortSignal.timeout(Number(DELIVERY_TIMEOUT_MS)),
  redirect: 'manual' as const,
});

/** The status of the answer; 0: none. */
async function push(url: string, event: Event, range?: Record<string, string>): Promise<number> {
  const headers = { 'content-type': 'application/json', ...range };
  try {
    const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(event), ...limits() });
    await answer.body?.cancel();
    return answer.status;
  } catch {
    return 0;
  }
}

async function ask(url: string): Promise<number | undefined> {
  let answer: Response | undefined;
  while (!answer) {
    answer = await fetch(url, limits()).catch(() => sleep(Math.random() * 500, undefined));
    // These two show only if an event is sent to a subscriber that is away.
    if (!answer && (has('skips an event after a failure') || has('stores the position before the push'))) return;
  }
  const body = (await answer.json().catch(() => undefined)) as { checkpoint?: unknown } | undefined;
  const [, position, name] = /^(?:0|(\d+)-([0-9a-f]{32}))$/.exec(String(body?.checkpoint)) ?? [];
  if (!answer.ok || typeof body?.checkpoint !== 'string') return;
  if (body.checkpoint !== '0' && !position) return;
  return name === state.name ? Number(position) : 0;
}

/** The answers that make this bus put an event aside after a few times. */
const refusals = [400, 413, 422, ...(has('puts a 503 aside') ? [503] : [])];
/** The event that is sent at a position: another one than that of the log if this bus mixes the order. */
const at = (position: number) =>
  has('delivers out of order, rarely') && log.length > position + 1 ? swapped(position) : log[position];
const swaps = new Set<number>();
function swapped(position: number) {
  if (position % 25 === 10) swaps.add(position);
  if (swaps.has(position)) return log[position + 1];
  return swaps.has(position - 1) ? log[position - 1] : log[position];
}

/** Sends the next event to a subscriber once; false if it was not taken. */
async function step(url: string, counts: { failures: number; refusals: number; isAsked: boolean }): Promise<boolean> {
  const mayAsk = !has('ignores the checkpoint') && !(has('asks at its start only') && counts.failures > 0);
  if (!counts.isAsked && mayAsk) state.positions[url] = (await ask(url)) ?? state.positions[url] ?? 0;
  counts.isAsked = true;
  const position = state.positions[url] ?? 0;
  if (position >= log.length) {
    await once(news, 'event');
    return true;
  }
  const advance = () => {
    pushing.delete(url);
    state.positions[url] = position + 1;
    save();
  };
  let event = at(position) as Event;
  if (has('sends an event again with a new id') && (isRestart || counts.failures > 0))
    event = { ...event, id: randomUUID() };
  if (has('sends events without an id')) event = { ...event, id: undefined as unknown as string };
  if (has('takes memory for each event')) kept.push(Buffer.alloc(2 ** 20, 1));
  const after = position - (has('names the wrong event-after') && position > 0 ? 1 : 0);
  const range = { 'event-after': `${after}-${state.name}`, 'event-upto': `${position + 1}-${state.name}` };
  if (has('stores the position before the push')) {
    pushing.add(url);
    save();
  }
  const both = has('sends two events at once') ? log[position + 1] : undefined;
  if (both) push(url, both);
  const status = await push(url, event, range);
  if (isSuccess(status)) {
    advance();
    Object.assign(counts, { failures: 0, refusals: 0 });
    return true;
  }
  counts.failures += 1;
  counts.isAsked = false;
  if (refusals.includes(status)) counts.refusals += 1;
  const isPoison = counts.refusals === 4 && !has('retries a refused event for ever');
  if (isPoison) state.letters.push({ id: randomUUID(), url, position });
  const isGivenUp =
    has('skips an event after a failure') || (has('gives up after five attempts') && counts.failures === 5);
  if (!isPoison && !isGivenUp) return false;
  advance();
  counts.refusals = 0;
  return true;
}

async function deliver(url: string) {
  const counts = { failures: 0, refusals: 0, isAsked: false };
  for (;;) if (!(await step(url, counts))) await sleep(Math.random() * Math.min(1_000, 25 * 2 ** counts.failures));
}

/** Head-of-line blocking: each event goes to all subscribers before the next one goes to any. */
async function deliverInTurn() {
  const counts = { failures: 0, refusals: 0, isAsked: false };
  for (let position = 0; ; position += 1) {
    while (position >= log.length) await once(news, 'event');
    for (const url of subscribers) {
      state.positions[url] = position;
      while (!(await step(url, counts))) await sleep(1_000);
    }
  }
}

const subscribers = SUBSCRIBERS.split(',').filter(Boolean);
if (has('has one loop for all subscribers')) deliverInTurn();
else for (const url of subscribers) deliver(url);
app.listen(Number(PORT), '127.0.0.1');
