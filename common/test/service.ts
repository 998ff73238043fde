// Runs a service, or a piece of one, as its main does: with a real server, a real database file, and its loops.
import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Database, openDatabase } from '@blog/common/core/database.ts';
import type { Bus } from '@blog/common/core/exchange.ts';
import type { Loop } from '@blog/common/core/loop.ts';
import { createHttpServer } from '@blog/common/http/limits.ts';
import { createLog, type Log } from '@blog/common/observe/log.ts';
import { Metrics } from '@blog/common/observe/metrics.ts';
import { createObserver, watchRequests } from '@blog/common/observe/observer.ts';
import { createService, type Service as Definition } from '@blog/common/run/service.ts';
import type { Express } from 'express';
import request from 'supertest';
import { at, type Json } from './fake-bus.ts';

export const log = createLog('test', 'silent');

/** A contract for apps made up by a test. */
const openapi = new URL('../../posts/openapi.yaml', import.meta.url);

/** The options of an app made up by a test, and the observer of its loops. */
export function frameOf(db: Database) {
  const metrics = new Metrics(db);
  return {
    db,
    log,
    openapi,
    metrics,
    watch: watchRequests({ log, metrics }),
    observer: createObserver({ log, metrics }),
  };
}

/** An address without a listener. */
export const NO_BUS = 'http://127.0.0.1:9';

/** Waits until `check` returns a truthy value, and returns that. */
export async function until<T>(check: () => T | Promise<T>, within = 120_000): Promise<NonNullable<T>> {
  for (const end = performance.now() + within; ; await delay(5)) {
    const value = await check();
    if (value) return value;
    if (performance.now() > end) throw new Error(`not within ${within} ms: ${check}`);
  }
}

/** Checks repeatedly that a condition holds, long enough for a forbidden event to have happened. */
export async function stays(check: () => boolean | Promise<boolean>, milliseconds = 150): Promise<boolean> {
  for (const end = performance.now() + milliseconds; performance.now() < end; await delay(5)) {
    if (!(await check())) return false;
  }
  return true;
}

const folders: string[] = [];

/** A new folder for a test; `removeFolders` deletes them all. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'blog test '));
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

type Part = { app: Express; loops: Loop[]; held?: { end(): void }[] };
type Options = { migrations: readonly string[]; create: (part: { db: Database; log: Log; bus: Bus }) => Part };
type Places = { after?: string; upto?: string; head?: string; replay?: string; share?: string };

/** A service as its main creates it, with these settings as its environment. */
export const defined = <Settings>(service: Definition<Settings>, env: Record<string, string> = {}): Options => ({
  migrations: service.migrations,
  create({ db, bus: { url, token } }) {
    const settings = service.settings.parse({ EVENT_BUS_URL: url, ...env });
    const { COPY_NAME } = env;
    return createService(service, { db, log, settings: { ...settings, COPY_NAME, BUS_TOKEN: token } });
  },
});

export class Service {
  db: Database;
  #server: Server;
  #part: Part;

  /** `folder` contains the data: with that of a stopped service it is a restart. */
  constructor({ migrations, create }: Options, busUrl: string, folder: string, token?: string) {
    this.db = openDatabase(join(folder, 'service.db'), migrations);
    this.#part = create({ db: this.db, log, bus: { url: busUrl, token } });
    // The clients share this process's event loop, so its turns are long, and load must not be shed.
    this.#server = createHttpServer(this.#part.app, { turn: 60_000 });
  }

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    for (const loop of this.#part.loops) loop.start();
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get app(): Express {
    return this.#part.app;
  }

  get http() {
    return request(this.url);
  }

  rows<Row>(sql: string): Promise<Row[]> {
    return this.db.read((tx) => tx.all<Row>(sql));
  }

  /** Pushes events as the bus does; without `after` as a classic bus: one event, without checkpoints. */
  push(events: object | object[], { after, upto, head = upto, replay, share }: Places = {}) {
    const push = this.http.post('/events');
    if (after === undefined || upto === undefined) return push.send(events);
    push.set('event-after', after).set('event-upto', upto).set('event-head', String(head));
    if (replay) push.set('event-replay', replay);
    if (share) push.set('event-share', share);
    return push.type('application/cloudevents-batch+json').send(JSON.stringify(events));
  }

  /** Pushes events as one batch to a new service: they are the whole log. */
  history(events: object[]) {
    return this.push(events, { after: at(0), upto: at(events.length) });
  }

  /** Reads a list along its `Link`s: the body of each page. */
  async pages(path: string): Promise<Json[]> {
    const { body, headers } = await this.http.get(path).expect(200);
    const next = /^<(.*)>; rel="next"$/.exec(headers.link ?? '')?.[1];
    return [body, ...(next ? await this.pages(next) : [])];
  }

  async degraded(): Promise<string[]> {
    return (await this.http.get('/readyz')).body.degraded;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const held of this.#part.held ?? []) held.end();
    this.#server.closeAllConnections();
    await Promise.all([closed, ...this.#part.loops.map((loop) => loop.stop())]);
    await this.db.close();
  }
}
