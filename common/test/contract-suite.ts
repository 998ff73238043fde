// The tests of every part's openapi.yaml against the part itself, over real HTTP.
import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import type { Database } from '@blog/common/core/database.ts';
import { BATCH } from '@blog/common/core/events.ts';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Express } from 'express';
import fc from 'fast-check';
import { asyncapi, Contract, type Operation, type Received, type Sent, send } from './contract.ts';
import { at, type Json } from './fake-bus.ts';
import { type Known, requestOf, TOKEN } from './requests.ts';
import { Scrape } from './scrape.ts';

type Running = { app: Express; url: string; db: Database; close: () => Promise<void> };

/**
 * Sends a request to the part, or to an absolute address; a body that is not a string is sent as JSON. The answer must
 * have this status and conform to the document.
 */
export type Ask = (status: number, method: string, address: string, more?: More) => Promise<Received & { json: Json }>;
type More = { headers?: Record<string, string>; body?: unknown };

type Options = {
  /** Starts the part alone, with this `BUS_TOKEN`. */
  start: (token: string) => Promise<Running>;
  /** Provokes the answers that are specific to this part; common ones are provoked by the suite. */
  session: (ask: Ask, running: Running) => Promise<void>;
  /** Values of path parameters for requests that should succeed. */
  path?: Record<string, string>;
  /** The rest of requests that should get as far as the database, by the path of their route, after the session. */
  rest?: () => Record<string, { query?: string; headers?: Record<string, string> }>;
  /** Values for generated requests, by the name of the parameter or field. */
  known?: Known;
  /** True for a request that looks valid but breaks a rule that the document states only in words. */
  inWords?: (sent: Sent) => boolean;
};

export function keepsItsContract(
  part: string,
  { start, session, path = {}, rest = () => ({}), known = {}, inWords = () => false }: Options,
): void {
  let contract: Contract;
  let running: Running;
  beforeAll(async () => {
    contract = await Contract.of(part);
  });
  beforeEach(async () => {
    running = await start(TOKEN);
  });
  afterEach(() => running?.close());

  async function answer(sent: Sent, url = running.url): Promise<Received> {
    const received = await send(url, sent);
    const wrong = contract.violations(sent, received);
    if (wrong.length > 0) expect({ sent, received, wrong }).toEqual('as documented');
    return received;
  }

  const ask: Ask = async (status, method, address, { headers, body } = {}) => {
    const { origin, pathname, search } = new URL(address, running.url);
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const type = text === undefined ? {} : { 'content-type': 'application/json' };
    const sent = {
      method,
      path: pathname + search,
      headers: { authorization: `Bearer ${TOKEN}`, ...type, ...headers },
      body: text,
    };
    const received = await answer(sent, origin);
    expect({ sent, ...received }).toMatchObject({ status });
    return { ...received, json: /^[[{]/.test(received.body) ? JSON.parse(received.body) : undefined };
  };

  const pathOf = (operation: Operation) => operation.path.replace(/\{(\w+)\}/g, (_, name) => path[name] ?? '1');

  /** The document's own example of a request; with a new id each time, if it has one. */
  function example({ requestBody }: Operation): More {
    const [content] = Object.entries<Json>(requestBody?.content ?? {});
    const [type, { example }] = content ?? ['', {}];
    if (!example) return {};
    const data = example.data?.id ? { data: { ...example.data, id: randomUUID() } } : {};
    return { headers: { 'content-type': type }, body: { ...example, ...data } };
  }

  describe(`openapi.yaml of ${part}`, () => {
    test('is a valid document of OpenAPI 3.1, and served as it is', async () => {
      expect(contract.errors).toBeUndefined();
      expect((await ask(200, 'GET', '/openapi.yaml')).body).toBe(contract.text);
    });

    test('has every route that the part has, and no other', () => {
      const documented = contract.operations.map(({ method, path }) => `${method} ${path}`);
      expect(routesOf(running.app.router).sort()).toEqual(documented.sort());
    });

    test('has every method of each address', async () => {
      for (const operation of contract.operations) {
        for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])
          if (!contract.operations.some((other) => other.path === operation.path && other.method === method))
            await ask(405, method, pathOf(operation));
      }
      await ask(404, 'GET', '/nowhere');
    });

    test('says of any request how it may be answered', async () => {
      const requests = fc.oneof(...contract.operations.map((operation) => requestOf(operation, known)));
      const check = async ({ sent, wrong }: { sent: Sent; wrong: string[] }) => {
        const { status } = await answer(sent);
        const refused = status >= 400 && status < 500;
        if (wrong.length > 0) expect({ wrong, status, refused }).toMatchObject({ refused: true });
        else if (!inWords(sent)) expect([400, 413, 415]).not.toContain(status);
      };
      // Forty at a time: an answer may wait two seconds for what the request names.
      const together = fc.array(requests, { minLength: 40, maxLength: 40 });
      const property = fc.asyncProperty(together, async (sent) => void (await Promise.all(sent.map(check))));
      await fc.assert(property, { numRuns: 10 });
    });

    test('has no answer that is never given', async () => {
      contract = await Contract.of(part);
      // A new service is ready once the bus has told it that its log is empty.
      const isSubscriber = contract.operations.some(({ path }) => path === '/events');
      if (isSubscriber) await ask(200, 'GET', '/events', { headers: { 'event-head': at(0) } });
      for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.yaml']) await ask(200, 'GET', path);
      await session(ask, running);
      const { operations } = contract;
      /** The routes for which this status is documented and has not been seen. */
      const answered = (status: number) =>
        operations.filter(({ method, path }) => contract.missing.includes(`${status} ${method} ${path}`));
      const refuse = async (status: number, how: More) => {
        for (const operation of answered(status)) await ask(status, operation.method, pathOf(operation), how);
      };
      await refuse(401, { headers: { authorization: 'Bearer of-something-else' } });
      await refuse(403, { headers: { origin: 'https://elsewhere.example' } });
      await refuse(413, { body: 'x'.repeat(1024 * 1024 + 1) });
      await refuse(415, { body: 'a=b', headers: { 'content-type': 'text/plain' } });
      for (const operation of operations.filter(({ requestBody }) => requestBody))
        await ask(400, operation.method, pathOf(operation), { body: '{' });

      const fail = async (status: number) => {
        for (const operation of answered(status)) {
          const { query = '', headers } = rest()[operation.path] ?? {};
          const { body, headers: given } = example(operation);
          await ask(status, operation.method, pathOf(operation) + query, { body, headers: { ...given, ...headers } });
        }
      };
      await fillUp(running.db);
      await fail(507);
      damage(await fileOf(running.db));
      await fail(503);
      expect(contract.missing).toEqual([]);
    });
  });

  describe(`metrics of ${part}`, () => {
    test('keep the rules of names and types', async () => {
      await session(ask, running);
      const { type, violations } = await Scrape.of(running.url);
      expect(type).toBe('text/plain; version=0.0.4; charset=utf-8');
      expect(violations).toEqual([]);
    });

    test('have no label that a request chose, whatever is asked and published', async () => {
      const strange = async (word: string) => {
        const event = { specversion: '1.0', id: word, source: word, type: word, subject: word, data: { id: word } };
        const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', 'x-word': word };
        const requests = contract.operations.map(({ method, path }) => ({
          method,
          path: `${path.replace(/\{\w+\}/g, word)}?${word}=${word}`,
          headers,
          body: method === 'POST' ? JSON.stringify({ ...event, title: word, content: word }) : undefined,
        }));
        const nowhere = ['GET', 'PURGE'].map((method) => ({ method, path: `/${word}`, headers }));
        for (const sent of [...requests, ...nowhere]) await send(running.url, sent);
      };
      await strange('strange-0');
      const before = await Scrape.of(running.url);
      await Promise.all(
        Array.from({ length: 200 }, (_, i) => send(running.url, { method: 'GET', path: `/strange-${i}` })),
      );
      for (const i of [1, 2, 3]) await strange(`strange-${i}`);
      const after = await Scrape.of(running.url);
      expect(after.series.filter((name) => !before.series.includes(name))).toEqual([]);
      expect(after.text).not.toMatch(/strange|PURGE/);
      const routes = new Set(after.samples.map(({ labels }) => labels.route));
      const patterns = contract.operations.map(({ path }) => path.replace(/\{(\w+)\}/g, ':$1'));
      expect([...routes.difference(new Set(patterns))].sort()).toEqual(['none', undefined]);
    });

    test('are all told when the database is locked, and those that need none when it cannot be read', async () => {
      await Scrape.of(running.url);
      const { series } = await Scrape.of(running.url);
      const file = await fileOf(running.db);
      const other = new DatabaseSync(file);
      other.exec('BEGIN IMMEDIATE');
      expect((await Scrape.of(running.url)).series).toEqual(series);
      other.close();
      damage(file);
      const stored = /^(outbox_(events|oldest|refused)|log_events|subscription_lag|dead_letters|moderation_waiting)/;
      const read = (await Scrape.of(running.url)).series;
      expect(read).toEqual(series.filter((name) => !stored.test(name)));
    });
  });
}

async function fileOf(db: Database): Promise<string> {
  const list = await db.read((tx) => tx.get<{ file: string }>('PRAGMA database_list'));
  return list?.file ?? '';
}

/** Limits the database to its current pages, so that every change fails as on a full disk. */
function fillUp(db: Database): Promise<void> {
  return db.write((tx) => {
    const tables = tx.all<{ name: string }>(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
    );
    tx.run('CREATE TABLE filling (bytes BLOB)');
    for (const { name } of tables)
      for (const change of ['INSERT', 'UPDATE', 'DELETE'])
        tx.run(`CREATE TRIGGER fill_${change}_${name} AFTER ${change} ON ${name}
          BEGIN INSERT INTO filling VALUES (zeroblob(100000)); END`);
    tx.all('PRAGMA max_page_count = 1');
  });
}

/** Corrupts the table of tables, so that nothing can be read or written. */
function damage(file: string): void {
  const other = new DatabaseSync(file, { defensive: false });
  other.exec(`PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 99999 WHERE type = 'table';
    PRAGMA schema_version = 99`);
  other.close();
}

type Layer = { handle: unknown; route?: { path: string | string[]; methods: Record<string, boolean> } };

/** The routes of an Express router, as `GET /posts/{id}`. */
function routesOf(router: unknown): string[] {
  return (router as { stack: Layer[] }).stack.flatMap(({ route, handle }) => {
    if (!route) return typeof handle === 'function' && 'stack' in handle ? routesOf(handle) : [];
    const methods = Object.keys(route.methods);
    // `all` is the handler that refuses the other methods of an address.
    if (methods.length > 1 || route.methods._all) return [];
    const paths = [route.path].flat().map((path) => path.replace(/:(\w+)/g, '{$1}'));
    return methods.flatMap((method) => paths.map((path) => `${method.toUpperCase()} ${path}`));
  });
}

/**
 * Checks a service's answers to the bus. An event of a type that it handles by asyncapi.yaml is poison without its ids.
 */
export async function takesEvents(part: string, ask: Ask): Promise<void> {
  const push = (after: string, upto: string) => ({
    body: '[]',
    headers: { 'content-type': BATCH, 'event-after': after, 'event-upto': upto, 'event-head': upto },
  });
  await ask(200, 'GET', '/events');
  await ask(400, 'GET', '/events', { headers: { 'event-head': 'nowhere' } });
  await ask(200, 'POST', '/events', push(at(0), at(2)));
  await ask(409, 'POST', '/events', push(at(5), at(6)));
  await ask(200, 'POST', '/events', { body: { type: 'Hello', data: {} } });
  for (const [type, message] of Object.entries<Json>(asyncapi.components.messages)) {
    const isPoison = message['x-handled-by'].includes(part);
    await ask(isPoison ? 422 : 200, 'POST', '/events', { body: { type, data: {} } });
  }
}
