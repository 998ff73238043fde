// Clients that are slow, idle or do not read are disconnected in time, and do not affect others.
import { once } from 'node:events';
import { get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { check, takeSnapshot } from '../lib/checker.ts';
import { until } from '../lib/http.ts';
import { type System, startSystem } from '../lib/system.ts';
import { startWriters, writesOf } from '../lib/writers.ts';

/** The number of clients of each kind. */
const IDLE = process.env.LONG ? 2_000 : 500;
const SLOW = 50;
/** The deadline for their disconnection: a request may take 10 s. */
const IN_TIME = 60_000;
/** The number opened at once: of more, the system delays some for seconds before the server sees them. */
const AT_ONCE = 250;

let system: System;
beforeAll(async () => {
  system = await startSystem('--production', '--without', 'client');
});
const open = new Set<Socket>();
afterAll(async () => {
  for (const socket of open) socket.destroy();
  await system?.stop();
});

test('slow headers, slow bodies, idle connections and readers that never read: closed in time, others unaffected', async () => {
  const answers: string[] = [];
  const attack = (part: string, begin: string, drip = '', reads = true) => {
    const socket = connect(system.ports[part] as number, '127.0.0.1');
    open.add(socket);
    socket.on('error', () => {});
    socket.write(begin);
    const dripping = drip ? setInterval(() => socket.write(drip), 200) : undefined;
    socket.on('close', () => {
      clearInterval(dripping);
      open.delete(socket);
    });
    if (reads) socket.setEncoding('latin1').on('data', (text) => void answers.push(String(text).slice(0, 12)));
    else socket.pause();
    return socket;
  };
  for (const part of ['posts', 'event-bus']) {
    for (let i = 0; i < IDLE; i += 1) {
      attack(part, '');
      // A new connection is accepted after all those before it.
      if (i % AT_ONCE === 0) await once(get(`${system.url(part)}/healthz`, { agent: false }), 'response');
    }
    for (let i = 0; i < SLOW; i += 1) {
      attack(part, 'GET / HTTP/1.1\r\nHost: localhost\r\nX: ', 'x');
      const post = part === 'posts' ? 'POST /posts' : 'POST /events';
      const type = 'Content-Type: application/json\r\nContent-Length: 60000';
      attack(part, `${post} HTTP/1.1\r\nHost: localhost\r\n${type}\r\n\r\n{"`, 'x');
    }
  }
  const readers = Array.from({ length: SLOW }, (_, i) => {
    const part = i % 2 === 0 ? 'query' : 'event-bus';
    return attack(part, 'GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n', '', false);
  });

  const began = performance.now();
  const writers = startWriters(system, 2);
  let slowest = 0;
  let written = 0;
  let last = began;
  await until(
    'every slow one is gone',
    () => {
      if (writers.posts.length > written) {
        written = writers.posts.length;
        slowest = Math.max(slowest, performance.now() - last);
        last = performance.now();
      }
      return [...open].every((socket) => readers.includes(socket));
    },
    IN_TIME,
  );
  await writers.stop();
  // A post with four comments, of two concurrent writers.
  expect(slowest).toBeLessThan(9_500);
  expect(writers.posts.length).toBeGreaterThan(5);
  expect(writers.refusals).toEqual([]);
  expect(new Set(answers)).toEqual(new Set(['HTTP/1.1 408']));
  expect(answers).toHaveLength(2 * (IDLE + 2 * SLOW));

  for (const reader of readers) reader.destroy();
  await system.quiet();
  expect(check(writesOf(writers.posts), await takeSnapshot(system))).toEqual([]);
});
