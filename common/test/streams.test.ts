// Server-Sent Events: backpressure, heartbeats and slow readers.

import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Database, openDatabase } from '@blog/common/core/database.ts';
import { Streams } from '@blog/common/http/streams.ts';
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Response } from 'express';
import { newFolder, removeFolders, until } from './service.ts';

let db: Database;
let streams: Streams;
let server: Server;
let serve: (res: Response) => Promise<void>;
beforeEach(async () => {
  db = openDatabase(join(newFolder(), 'streams.db'), []);
  streams = new Streams(db);
  server = createServer((_, res) => void serve(asResponse(res)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await db.close();
});
afterAll(removeFolders);

/** The only method of Express that a stream needs. */
const asResponse = (res: ServerResponse) =>
  Object.assign(res, {
    set: (headers: object) => res.setHeaders(new Map(Object.entries(headers))),
  }) as unknown as Response;
const read = async () => {
  const request = get({ port: (server.address() as AddressInfo).port });
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  return answer;
};

let position = 0;
/** A stream whose steps readers do not share: each leads to a position of its own. */
const follow = (res: Response, next: () => string, text = '') =>
  streams.follow(res, { text, upto: position++ }, () => ({ text: next(), upto: position++ }));
const commit = () => db.write(() => {});

test('a commit wakes every reader, and each gets what is new', async () => {
  let news = 'data: first\n\n';
  serve = (res) => {
    let told = '';
    const next = () => {
      if (told === news) return '';
      told = news;
      return news;
    };
    return follow(res, next);
  };
  const texts = await Promise.all(
    [1, 2].map(async (i) => {
      const answer = (await read()).setEncoding('utf8');
      const got = { text: '' };
      answer.on('data', (text) => (got.text += text));
      await until(() => got.text !== '');
      return Object.assign(got, { i });
    }),
  );
  news = 'data: second\n\n';
  await commit();
  await until(() => texts.every(({ text }) => text === 'data: first\n\ndata: second\n\n'));
});

test('HEAD is answered with the headers, and ends', async () => {
  serve = (res) => follow(res, () => 'data: news\n\n');
  const [answer] = await once(get({ port: (server.address() as AddressInfo).port, method: 'HEAD' }), 'response');
  expect(answer.headers['content-type']).toBe('text/event-stream');
  await once(answer.resume(), 'end');
  expect(streams.readers).toBe(0);
});

test('a reader that is far behind gets one step per turn of the event loop, so that others are served in between', async () => {
  let steps = 0;
  const stepsOfTurn = [0];
  serve = (res) =>
    follow(res, () => {
      stepsOfTurn[0] = (stepsOfTurn[0] ?? 0) + 1;
      steps += 1;
      return steps <= 20 ? 'data: x\n\n' : '';
    });
  let turn = setImmediate(function nextTurn() {
    stepsOfTurn.unshift(0);
    turn = setImmediate(nextTurn);
  });
  (await read()).resume();
  await until(() => steps > 20);
  clearImmediate(turn);
  expect(Math.max(...stepsOfTurn)).toBe(1);
});

test('backpressure: for a reader that does not read nothing is read from the database, and others continue', async () => {
  let steps = 0;
  const served = new Set<ServerResponse>();
  serve = (res) => {
    const first = served.size === 0;
    served.add(res);
    return follow(res, () => {
      if (!first) return 'data: small\n\n';
      steps += 1;
      return `data: ${'x'.repeat(1_000_000)}\n\n`;
    });
  };
  const stuck = await read();
  stuck.pause();
  const [res] = served;
  await until(() => res?.writableNeedDrain);
  const read1 = steps;
  const other = await read();
  let got = 0;
  other.on('data', ({ length }) => {
    got += length;
  });
  await until(() => got > 100_000);
  await commit();
  expect(steps).toBe(read1);
  expect(res?.writableLength).toBeLessThan(3_000_000);
});

test('a reader that left before its stream began is forgotten at once', async () => {
  const ended = Promise.withResolvers<string>();
  serve = async (res) => {
    await once(res, 'close');
    await follow(res, () => '');
    ended.resolve('forgotten');
  };
  const request = get({ port: (server.address() as AddressInfo).port });
  request.on('error', () => {});
  await once(server, 'request');
  request.destroy();
  expect(await ended.promise).toBe('forgotten');
});

test('on shutdown every stream ends, even one whose reader does not read', async () => {
  const readers: ServerResponse[] = [];
  serve = (res) => {
    readers.push(res);
    return follow(res, () => (res === readers[0] ? `data: ${'x'.repeat(20_000_000)}\n\n` : ''));
  };
  (await read()).pause();
  await until(() => readers[0]?.writableNeedDrain);
  const idle = (await read()).resume();
  const closed = new Promise((resolve) => server.close(resolve));
  streams.end();
  await once(idle, 'end');
  server.closeIdleConnections();
  await closed;
});

test('a reader over the limit is a 503, and one is accepted again when another has left', async () => {
  streams = new Streams(db, 2);
  serve = (res) => follow(res, () => '', ':\n\n').catch((error) => void res.writeHead(error.status).end());
  const readers = [await read(), await read()];
  for (const reader of readers) await once(reader, 'readable');
  expect((await read()).resume().statusCode).toBe(503);
  expect(readers.map(({ statusCode, closed }) => [statusCode, closed])).toEqual([
    [200, false],
    [200, false],
  ]);
  readers[0]?.destroy();
  await until(async () => (await read()).resume().statusCode === 200);
});
