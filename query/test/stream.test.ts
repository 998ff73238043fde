// The stream of query: changes as Server-Sent Events.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type ClientRequest, get, type IncomingMessage } from 'node:http';
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Json } from '../../common/test/fake-bus.ts';
import { newFolder, removeFolders, type Service, until } from '../../common/test/service.ts';
import { comment, post, startQuery, updated } from './query-service.ts';

type Message = { id?: string; event?: string; data: Json };

let folder: string;
let service: Service;
let requests: ClientRequest[];
beforeEach(async () => {
  folder = newFolder();
  service = await startQuery(folder);
  requests = [];
});
afterEach(async () => {
  for (const request of requests) request.destroy();
  await service.close();
});
afterAll(removeFolders);

const apply = (...events: object[]) => service.push(events).expect(200);
const many = (count: number, make: (i: number) => object) => Array.from({ length: count }, (_, i) => make(i + 1));
const position = async (): Promise<string> => String((await service.http.get('/posts')).headers['stream-position']);

/** Opens a reader: its messages so far, and its end. */
async function read(query = '', headers: Record<string, string> = {}) {
  const request = get(`${service.url}/stream${query}`, { headers });
  requests.push(request);
  request.on('error', () => {});
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  const messages: Message[] = [];
  let rest = '';
  answer.setEncoding('utf8').on('data', (chunk) => {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    messages.push(...blocks.filter((block) => !block.startsWith(':')).map(parse));
  });
  return { messages, answer, leave: () => request.destroy() };
}

function parse(block: string): Message {
  const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s, 2)));
  return { ...fields, data: JSON.parse(fields.data) };
}

const shownComments = (messages: Message[]): Json[] => messages.flatMap(({ data }) => data.comments ?? []);

test('a change comes as the post without its comments, and its changed comments', async () => {
  await apply(post('p'), comment('c1', 'p'), comment('c2', 'p'));
  const reader = await read();
  expect(reader.answer.headers['content-type']).toMatch(/^text\/event-stream/);
  await apply(updated('c2', 'p', 'approved'));
  await until(() => reader.messages.length === 1);
  const { comments, ...rest } = (await service.http.get('/posts/p')).body;
  expect(reader.messages).toEqual([{ id: await position(), data: { post: rest, comments: [comments[1]] } }]);
});

test('several changes of a row are coalesced into its current state', async () => {
  const start = await position();
  await apply(post('p'), post('q'), comment('c', 'p'), updated('c', 'p', 'rejected'));
  const reader = await read(`?after=${start}`);
  await until(() => reader.messages.at(-1)?.id);
  expect(reader.messages.map(({ data }) => data.post.id).sort()).toEqual(['p', 'q']);
  expect(shownComments(reader.messages)).toMatchObject([{ id: 'c', status: 'rejected' }]);
});

test('without a position it begins now', async () => {
  await apply(post('before'));
  const reader = await read();
  await apply(post('after'));
  await until(() => reader.messages.length === 1);
  expect(reader.messages[0]?.data).toMatchObject({ post: { id: 'after' }, comments: [] });
});

test('?after and Last-Event-ID start right after that position; Last-Event-ID wins', async () => {
  await apply(post('a'));
  const first = await position();
  await apply(post('b'));
  const second = await position();
  await apply(post('c'));
  const readers = [
    await read(`?after=${first}`),
    await read('', { 'Last-Event-ID': first }),
    await read(`?after=${first}`, { 'Last-Event-ID': second }),
  ];
  await until(() => readers.every(({ messages }) => messages.at(-1)?.data.post.id === 'c'));
  expect(readers.map(({ messages }) => messages.map(({ data }) => data.post.id))).toEqual([
    ['b', 'c'],
    ['b', 'c'],
    ['c'],
  ]);
});

test('a reader that disconnects anywhere and resumes from its last id misses nothing and reaches the same state', async () => {
  const last = { id: await position() };
  const posts = new Map<string, Json>();
  const comments = new Map<string, Json>();
  const take = (message: Message) => {
    expect(message.event).toBeUndefined();
    posts.set(message.data.post.id, message.data.post);
    for (const one of message.data.comments) comments.set(one.id, one);
    if (message.id) last.id = message.id;
  };
  let made = 0;
  const change = () => {
    made += 1;
    const [p, random] = [`p${Math.floor(Math.random() * 140)}`, Math.random()];
    if (random < 0.3) return post(p);
    if (random < 0.7) return comment(`c${made}`, p);
    return updated(`c${Math.ceil(Math.random() * made)}`, p, random < 0.85 ? 'approved' : 'rejected');
  };
  for (let round = 0; round < 25; round += 1) {
    await apply(...many(1 + Math.floor(Math.random() * 300), change), post(`round ${round}`));
    const reader = await read('', { 'Last-Event-ID': last.id });
    await until(() => reader.messages.length > 0);
    reader.leave();
    // Cut after any message, not only after one with an id.
    for (const message of reader.messages.slice(0, 1 + Math.floor(Math.random() * 200))) take(message);
  }
  await apply(post('the last'));
  const reader = await read('', { 'Last-Event-ID': last.id });
  await until(() => reader.messages.some(({ data }) => data.post.id === 'the last'));
  for (const message of reader.messages) take(message);
  const all = await service.rows<Json>('SELECT id, seq, commentCount FROM posts ORDER BY seq');
  const written = await service.rows<Json>(
    'SELECT id, seq, status FROM comments WHERE postId IN (SELECT id FROM posts) ORDER BY seq',
  );
  const bySeq = (of: Map<string, Json>) => [...of.values()].sort((a, b) => a.seq - b.seq);
  expect(bySeq(posts).map(({ id, seq, commentCount }) => ({ id, seq, commentCount }))).toEqual(
    all.map((row) => ({ ...row })),
  );
  expect(bySeq(comments).map(({ id, seq, status }) => ({ id, seq, status }))).toEqual(
    written.map((row) => ({ ...row })),
  );
});

test('a message has at most 100 comments, and says when there are more; nothing of them is lost', async () => {
  const start = await position();
  await apply(post('p'), ...many(250, (i) => comment(`c${i}`, 'p')));
  const reader = await read(`?after=${start}`);
  await until(() => shownComments(reader.messages).length === 250);
  for (const { data } of reader.messages) expect(data.comments.length).toBeLessThanOrEqual(100);
  expect(reader.messages.map(({ data }) => data.more ?? false)).toEqual([true, true, false]);
});

test('many simultaneous changes all come, even after many that are not shown', async () => {
  const start = await position();
  await apply(...many(250, (i) => comment(`hidden ${i}`, 'unknown')), ...many(250, (i) => post(`p${i}`)));
  const reader = await read(`?after=${start}`);
  const last = await position();
  await until(() => reader.messages.at(-1)?.id === last);
  expect(new Set(reader.messages.map(({ data }) => data.post.id)).size).toBe(250);
  expect(shownComments(reader.messages)).toEqual([]);
});

test('in a step of several messages only the last one has an id, because only there nothing is missed on resuming', async () => {
  const start = await position();
  await apply(post('p'), post('q'), comment('c1', 'p'), comment('c2', 'q'));
  const reader = await read(`?after=${start}`);
  await until(() => reader.messages.length === 2);
  expect(reader.messages.map(({ id }) => id)).toEqual([undefined, await position()]);
});

test('comments that came before their post are sent when it arrives', async () => {
  await apply(comment('c1', 'p'), comment('c2', 'p'));
  const reader = await read();
  await apply(post('p'));
  await until(() => shownComments(reader.messages).length === 2);
  expect(reader.messages).toMatchObject([{ data: { post: { id: 'p', commentCount: 2 } } }]);
});

test.each([
  ['of another database', async () => `${randomUUID()}-1`],
  ['ahead of this one', async () => (await position()).replace(/\d+$/, '9')],
  ['that is none', async () => 'nonsense'],
])('a position %s is answered with a reset, and the stream continues from there', async (_, asked) => {
  await apply(post('a'), post('b'));
  const reader = await read(`?after=${encodeURIComponent(await asked())}`);
  await until(() => reader.messages.length === 1);
  expect(reader.messages).toEqual([{ event: 'reset', id: await position(), data: {} }]);
  await apply(post('c'));
  await until(() => reader.messages.length === 2);
  expect(reader.messages[1]?.data.post.id).toBe('c');
});

test('a reader that missed too much is told to read the list again', async () => {
  const start = await position();
  await apply(...many(5_001, (i) => post(`p${i}`)));
  const reader = await read(`?after=${start}`);
  await until(() => reader.messages.length === 1);
  expect(reader.messages).toEqual([{ event: 'reset', id: await position(), data: {} }]);
});

test('a position stays valid after a restart, and streams end when the service does', async () => {
  await apply(post('a'));
  const start = await position();
  const reader = await read();
  await Promise.all([once(reader.answer.resume(), 'close'), service.close()]);
  service = await startQuery(folder);
  await apply(post('b'));
  const again = await read(`?after=${start}`);
  await until(() => again.messages.length === 1);
  expect(again.messages[0]?.data.post.id).toBe('b');
});
