// An alternative to the event bus: NATS JetStream, with each message on disk before its answer, behind the same HTTP
// route for publishing and the same pushes to subscribers. Ends its nats-server when it ends.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AckPolicy, type Consumer, DeliverPolicy, type JsMsg, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import express from 'express';
import { BATCH, type CloudEvent, PLAIN } from '../common/src/core/events.ts';
import { exchange } from '../common/src/core/exchange.ts';
import { Signal } from '../common/src/core/loop.ts';

const { HOST = '', PORT, NATS_PORT, DATA_DIR = '', SUBSCRIBERS = '', ATOMIC } = process.env;
const STREAM = 'events';

const config = join(DATA_DIR, 'nats.conf');
writeFileSync(
  config,
  `listen: "${HOST}:${NATS_PORT}"\njetstream { store_dir: ${JSON.stringify(DATA_DIR)}, sync_interval: always }\n`,
);
const server = spawn('nats-server', ['-c', config], { stdio: ['ignore', 'ignore', 'inherit'] });
let stopping = false;
server.on('exit', () => process.exit(stopping ? 0 : 1));
process.on('exit', () => server.kill());
process.on('SIGTERM', () => {
  stopping = true;
  server.kill();
});

const connection = await connect({ servers: `${HOST}:${NATS_PORT}`, waitOnFirstConnect: true, reconnectTimeWait: 20 });
const manager = await jetstreamManager(connection);
await manager.streams.add({ name: STREAM, subjects: [STREAM], storage: 'file', allow_atomic: ATOMIC === 'on' });
const stream = jetstream(connection);

/** Pushes the messages that have come as one batch; after the answer acknowledges them and pushes the next. */
async function push(consumer: Consumer, url: string): Promise<void> {
  const waiting: JsMsg[] = [];
  const work = new Signal();
  const callback = (message: JsMsg) => {
    waiting.push(message);
    work.raise();
  };
  await consumer.consume({ max_messages: 1_000, callback });
  for (;;) {
    const messages = waiting.splice(0, 1_000);
    if (messages.length === 0) {
      await work.wait();
      continue;
    }
    const body = `[${messages.map((message) => message.string()).join(',')}]`;
    const { status } = await exchange({ method: 'POST', url, headers: { 'content-type': BATCH }, body });
    if (status !== 200) throw new Error(`${url} answered ${status}`);
    messages.at(-1)?.ack();
  }
}

for (const [n, url] of SUBSCRIBERS.split(',').entries()) {
  const name = `subscriber-${n}`;
  const policies = { ack_policy: AckPolicy.All, deliver_policy: DeliverPolicy.All };
  await manager.consumers.add(STREAM, { durable_name: name, ...policies, max_ack_pending: 10_000 });
  void push(await stream.consumers.get(STREAM, name), url);
}

/**
 * Publishes a JetStream atomic batch: all or nothing, one flush. A stream must allow it, and it does not deduplicate by
 * message id.
 */
async function publishAtomic([first, ...events]: CloudEvent[]): Promise<number> {
  const last = events.pop();
  const batch = await stream.startBatch(STREAM, JSON.stringify(first));
  for (const event of events) batch.add(STREAM, JSON.stringify(event));
  return (await batch.commit(STREAM, JSON.stringify(last))).count;
}

/** Publishes events singly and concurrently. Like our bus it deduplicates by source and id. */
async function publishAll(events: CloudEvent[]): Promise<number> {
  const publish = (event: CloudEvent) =>
    stream.publish(STREAM, JSON.stringify(event), { msgID: `${event.source} ${event.id}` });
  return (await Promise.all(events.map(publish))).length;
}

const app = express();
app.post('/events', express.json({ type: [PLAIN, BATCH], limit: '512kb' }), async (req, res) => {
  const events: CloudEvent[] = [req.body].flat();
  const stored = await (ATOMIC === 'on' && events.length > 1 ? publishAtomic : publishAll)(events);
  res.status(stored === events.length ? 201 : 503).json({ status: 'OK', stored });
});
app.listen(Number(PORT), HOST, () => console.log(`listening, nats-server is ${server.pid}`));
