// Step 8, hand it to an engine: the log, the disks, the positions and the repetitions are those of NATS JetStream.
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, nanos } from '@nats-io/transport-node';
import express from 'express';
import { startServer } from './server.ts';

const { PORT = 4005, SUBSCRIBERS, DATA_DIR = import.meta.dirname, DELIVERY_TIMEOUT_MS = 5_000, NATS_URL } = process.env;
const ourServices = [4000, 4001, 4002, 4003].map((port) => `http://localhost:${port}/events`);
const subscribers = new Set(SUBSCRIBERS?.split(',') ?? ourServices);
const servers = NATS_URL?.split(',') ?? [await startServer(DATA_DIR)];

type Event = { id: string; type: string; data?: unknown };
type DeadLetter = { id: string; url: string; seq: number; event: Event };
const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32);

const connection = await connect({ servers, waitOnFirstConnect: true, maxReconnectAttempts: -1 });
const engine = jetstream(connection);
const { streams, consumers } = await untilDone(() => jetstreamManager(connection));
/** Three servers: an event is on two disks or more before it is acknowledged. */
const num_replicas = servers.length < 3 ? 1 : 3;
const openStream = (name: string) =>
  untilDone(() => streams.add({ name, subjects: [`${name}.*`], max_msgs_per_subject: 1, num_replicas }));
const [log] = await Promise.all([openStream('events'), openStream('dead'), openStream('positions')]);

/** Stores one message a subject, ever: the engine refuses a second one, while its own window for repetitions is two minutes. */
async function store(subject: string, body: Event | DeadLetter) {
  await engine.publish(subject, JSON.stringify(body), { expect: { lastSubjectSequence: 0 } }).catch((error) => {
    if (error.code !== 10_071) throw error; // "wrong last sequence": it is there
  });
}

async function read<T>(name: string) {
  const { state } = await streams.info(name);
  if (state.messages === 0) return [];
  const messages = await (await engine.consumers.get(name)).fetch({ max_messages: state.messages });
  return Array.fromAsync(messages, (message) => message.json<T>());
}

const app = express();
app.use(express.json({ limit: '1000kb' })); // a message of the engine has at most 1 MiB

app.post('/events', async (req, res) => {
  const event: Event = { ...req.body, id: req.body?.id ?? randomUUID() };
  if (typeof event.type !== 'string' || typeof event.id !== 'string') {
    res.status(400).send({ error: 'An event is a JSON object with a type; an id is a string.' });
    return;
  }
  await store(`events.${hash(event.id)}`, event);
  res.send({ status: 'OK', id: event.id });
});

app.get('/events', async (_req, res) => res.send(await read('events')));
app.get('/dead-letters', async (_req, res) => res.send(await read('dead')));

/** Sends a dead letter again, once a person has mended the subscriber. */
app.post('/dead-letters/:id/redeliver', async (req, res) => {
  const found = await streams.getMessage('dead', { last_by_subj: `dead.${req.params.id}` });
  if (!found) return res.status(404).send({ error: 'There is no dead letter with this id.' });
  const { url, event } = found.json<DeadLetter>();
  await push(url, event);
  await streams.deleteMessage('dead', found.seq);
  return res.send({ status: 'OK' });
});

/** Sends the log to one subscriber, in order: until a message is acknowledged the engine gives out no other one. */
async function deliver(url: string) {
  const name = hash(url);
  const ack_wait = nanos(Number(DELIVERY_TIMEOUT_MS) + 1_000); // after that the engine gives the message out again
  await consumers.add('events', { durable_name: name, ack_policy: AckPolicy.Explicit, max_ack_pending: 1, ack_wait });
  // The engine stores its position up to a tenth of a second late, so the bus keeps one; the subscriber's word counts more.
  const stored = await streams.getMessage('positions', { last_by_subj: `positions.${name}` });
  await consumers.reset('events', name, ((await ask(url)) ?? Number(stored?.string() ?? 0)) + 1);
  const letters = (await read<DeadLetter>('dead')).filter((letter) => letter.url === url);
  const parked = new Set(letters.map(({ seq }) => seq));
  let refusals = 0;
  for await (const message of await (await engine.consumers.get('events', name)).consume({ max_messages: 1 })) {
    const { seq, info } = message;
    let after = seq - 1; // the subscriber's checkpoint: before the events that it refused
    while (parked.has(after)) after -= 1;
    // After a failure the subscriber may have another database: begins anew, at its checkpoint.
    if (info.deliveryCount > 1 && ((await ask(url)) ?? after) !== after) throw new Error(`${url} has moved`);
    try {
      const event = message.json<Event>();
      const id = `${name}-${seq}`;
      if (refusals === 3) await store(`dead.${id}`, { id, url, seq, event }).then(() => parked.add(seq));
      if (!parked.has(seq)) await push(url, event, { 'Event-After': checkpoint(after), 'Event-Upto': checkpoint(seq) });
      refusals = 0;
      await engine.publish(`positions.${name}`, String(seq));
      message.ack();
    } catch (error) {
      if (REFUSALS.includes((error as Error).cause)) refusals += 1;
      message.nak(Math.random() * Math.min(2_000, 50 * 2 ** info.deliveryCount)); // it comes again after this pause
    }
  }
}

/** Statuses of a bad event. No answer, or a 500, means a subscriber in trouble: it may take the event later. */
const REFUSALS: unknown[] = [400, 413, 422];

/** `<position>-<name of the log>`: a log that was made again has another name. */
const checkpoint = (position: number) => (position === 0 ? '0' : `${position}-${hash(log.created)}`);

/** Asks a subscriber for its checkpoint, until it answers: the number of events that it has, or undefined if it keeps none. */
async function ask(url: string): Promise<number | undefined> {
  let answer: Response | undefined;
  while (!answer) answer = await fetch(url, limits()).catch(() => sleep(Math.random() * 2_000, undefined));
  const body = (await answer.json().catch(() => undefined)) as { checkpoint?: unknown } | undefined;
  if (!answer.ok || typeof body?.checkpoint !== 'string') return undefined;
  const position = Number.parseInt(body.checkpoint, 10);
  return body.checkpoint === checkpoint(position) ? position : 0; // of another log, it has none of this one
}

/** Limits of a request: a subscriber that hangs counts as away, and a redirect is no 2xx. */
const limits = () => ({ signal: AbortSignal.timeout(Number(DELIVERY_TIMEOUT_MS)), redirect: 'manual' as const });

async function push(url: string, event: Event, range: Record<string, string> = {}) {
  const headers = { 'Content-Type': 'application/json', ...range };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(event), ...limits() });
  await answer.body?.cancel(); // only the status counts
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`, { cause: answer.status });
}

for (const url of subscribers) untilDone(() => deliver(url));

/** Asks the engine again, for example while it elects another leader, which takes some seconds. */
async function untilDone<T>(work: () => Promise<T>): Promise<T> {
  for (; ; await sleep(500)) {
    try {
      return await work();
    } catch (error) {
      console.log((error as Error).message);
    }
  }
}

app.listen(Number(PORT), '127.0.0.1');
