// Starts a bus and its subscribers for tests.

import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openDatabase } from '@blog/common/core/database.ts';
import { createHttpServer, type LIMITS } from '@blog/common/http/limits.ts';
import { createLog } from '@blog/common/observe/log.ts';
import { createService } from '@blog/common/run/service.ts';
import { afterEach } from '@jest/globals';
import request from 'supertest';
import { createBus } from '../src/app.ts';
import { migrations } from '../src/schema.ts';
import type { Dns } from '../src/subscriptions.ts';
import { Part, type Push } from './subscribers.ts';

export const BATCH = 'application/cloudevents-batch+json';
const log = createLog('event-bus', 'silent');

const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** Starts a part for this test, stopped at its end. */
export async function startPart(answer: Part['answer']): Promise<Part> {
  const part = await new Part(answer).up();
  cleanUps.push(() => part.down());
  return part;
}

type Options = {
  subscriptions?: Record<string, Part>;
  /** More of `SUBSCRIPTIONS`, and DNS for them. */
  patterns?: { name: string; url: string }[];
  dns?: Dns;
  deadline?: number;
  folder?: string;
  /** The file of a log to begin with, for a new folder. */
  log?: Buffer;
  token?: string;
  limits?: Partial<typeof LIMITS>;
};

/** The quorum that has the log; without one, a file of the bus's own has it. */
type Quorum = { servers: string[]; clear(): Promise<void> };
let quorum: Quorum | undefined;

/** Starts all buses of this test file on a quorum, each but a restart on an empty one. */
export function useQuorum(used: Quorum): void {
  quorum = used;
}
/** A quorum that has not answered in time refuses for a moment; a caller tries again. */
const refusedForNow = (_error: unknown, answer?: { status: number; text: string }) =>
  answer?.status === 503 && /quorum|copy of the bus/i.test(answer.text);
const quorumSettings = ({ servers: NATS_URL }: Quorum) => ({
  ...{ NATS_URL, COPY_NAME: 'event-bus-0', COPY_URL: 'http://127.0.0.1:9' },
});

/** Starts a bus for this test, stopped at its end; with the `folder` of an earlier one it is a restart. */
export async function startBus({
  subscriptions = {},
  patterns = [],
  deadline = 30_000,
  limits,
  ...options
}: Options = {}) {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'event-bus-')));
  if (!options.folder) cleanUps.push(() => rm(folder, { recursive: true }));
  if (options.log) await writeFile(join(folder, 'event-bus.db'), options.log);
  const db = openDatabase(join(folder, 'event-bus.db'), migrations);
  const list = Object.entries(subscriptions).map(([name, { url }]) => ({ name, url }));
  if (quorum && !options.folder) await quorum.clear();
  const settings = {
    ...{ SUBSCRIPTIONS: [...patterns, ...list], DELIVERY_TIMEOUT_MS: deadline, BUS_TOKEN: options.token },
    NATS_REPLICAS: 1,
    ...(quorum && quorumSettings(quorum)),
  };
  const { app, loops, held } = createService(createBus(options.dns), { db, log, settings });
  const server = createHttpServer(app, { turn: 60_000, ...limits }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  for (const loop of loops) loop.start();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const http = quorum ? request.agent(url).retry(5_000, refusedForNow) : request(url);

  let stopped: Promise<void> | undefined;
  const end = async () => {
    for (const open of held) open.end();
    const closed = once(server.close(), 'close');
    await Promise.all(loops.map((loop) => loop.stop()));
    server.closeAllConnections();
    await closed;
    await db.close();
  };
  const stop = () => {
    stopped ??= end();
    return stopped;
  };
  cleanUps.push(stop);
  if (quorum) await until(() => http.get('/readyz').expect(200));

  return {
    app,
    folder,
    db,
    url,
    http,
    stop,
    /** Ends the loops beside the requests, so that nothing else reads the database. */
    idle: () => Promise.all(loops.map((loop) => loop.stop())),
    connections: () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count))),
    /** Publishes events with these ids as one batch; returns the checkpoint of the last. */
    async publish(...ids: string[]): Promise<string> {
      const events = ids.map((id) => ({ specversion: '1.0', id, source: 'test', type: 'Tested', data: { id } }));
      const answer = await http.post('/events').set('content-type', BATCH).send(JSON.stringify(events)).expect(201);
      return answer.body.checkpoint;
    },
    async subscription(name: string) {
      const { body } = await http.get('/subscriptions').expect(200);
      return body.find((subscription: { name: string }) => subscription.name === name);
    },
    async control(name: string, command: string, body: object = {}) {
      return http.post(`/subscriptions/${name}/${command}`).send(body);
    },
  };
}
export type Bus = Awaited<ReturnType<typeof startBus>>;

/** The file of a log with these events: made once, for the many tests that begin with a long one. */
export function logOf(events: () => object[]): () => Promise<Buffer> {
  let file: Buffer | undefined;
  return async () => {
    if (file) return file;
    const bus = await startBus();
    const all = events();
    for (let from = 0; from < all.length; from += 1_000)
      await post(bus, all.slice(from, from + 1_000), BATCH).expect(201);
    await bus.stop();
    file = await readFile(join(bus.folder, 'event-bus.db'));
    return file;
  };
}

/** Repeats an assertion until it holds, or throws its own message. */
export async function until<T>(assertion: () => T | Promise<T>): Promise<T> {
  for (const end = performance.now() + 60_000; ; await pause(10)) {
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() > end) throw error;
    }
  }
}

export const ids = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`);
export const header = (push: Push | undefined, name: string) => push?.headers[`event-${name}`];

export const EVENT = 'application/cloudevents+json';
export const cloudEvent = (id: string, more: object = {}) => ({
  specversion: '1.0',
  id,
  source: 'test',
  type: 'Tested',
  subject: id,
  time: '2026-01-02T03:04:05Z',
  data: { id },
  ...more,
});
export const post = (bus: Bus, body: unknown, type = EVENT) =>
  bus.http
    .post('/events')
    .set('content-type', type)
    .send(typeof body === 'string' ? body : JSON.stringify(body));
export const stored = async (bus: Bus) => (await bus.http.get('/events').expect(200)).body;
