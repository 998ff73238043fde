// The parts' log lines: enough to follow one comment through all parts, without any text that people wrote.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { post, until } from './lib/http.ts';
import { openStream } from './lib/stream.ts';
import { type System, startSystem } from './lib/system.ts';

const SECRETS = {
  title: 'a-secret-title',
  content: 'a-secret-comment',
  token: 'a-secret-token-of-the-parts',
  key: 'a-secret-key',
};

let system: System;
beforeAll(async () => {
  Object.assign(process.env, { LOG_LEVEL: 'trace', BUS_TOKEN: SECRETS.token });
  system = await startSystem('--production');
});
afterAll(async () => {
  delete process.env.LOG_LEVEL;
  delete process.env.BUS_TOKEN;
  await system?.stop();
});

test('one trace id leads through the lines of every server, and no line has a title, a comment, a token or a query', async () => {
  const { title, content, token, key } = SECRETS;
  const authorization = `Bearer ${token}`;
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const headers = { 'idempotency-key': key, traceparent: `00-${traceId}-b7ad6b7169203331-01` };
  const reader = await openStream(`${system.url('client')}/stream?after=a-secret-query`);
  const { body } = await post(`${system.url('client')}/posts?x=a-secret-query`, { title });
  const comments = `${system.url('client')}/posts/${body.id}/comments`;
  const { id } = (await post(comments, { content }, headers)).body;
  // Failures are logged too: a refused request, a poison event, a conflicting verdict.
  await post(comments, { content: [content] }, headers);
  const event = { type: 'CommentModerated', data: { content }, traceparent: headers.traceparent };
  expect((await post(`${system.url('event-bus')}/events`, event, { authorization })).status).toBe(201);
  await reader.comment(id, 'approved');
  await reader.close();

  const lines = () => system.output().split('\n');
  const told = (part: string, what: string) =>
    lines().filter(
      (line) => line.startsWith(part) && line.includes(` ${what} `) && line.includes(`traceId=${traceId}`),
    );
  // The last log line about it, from each of the two services that handle such events.
  await until('the poison event is parked', () => told('event-bus', 'event parked').length === 2);
  expect(told('comments', 'request').length).toBeGreaterThanOrEqual(2);
  for (const part of ['comments', 'moderation']) expect(told(part, 'event published').length).toBeGreaterThan(0);
  for (const part of ['comments', 'moderation', 'query']) expect(told(part, 'event applied').length).toBeGreaterThan(0);
  expect(told('event-bus', 'event appended').length).toBeGreaterThanOrEqual(3);
  expect(told('event-bus', 'event delivered').length).toBeGreaterThan(0);
  for (const line of told('event-bus', 'event delivered'))
    expect(line).toMatch(/subscription=\w+ position=\d+ attempt=\d+ eventId=\S+ type=\w+/);
  expect(lines().filter((line) => line.includes('a-secret-'))).toEqual([]);
});
