// Foreign services may publish comments of 240 KiB each: an answer contains only as many as fit into a small heap.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Json } from '../../common/test/fake-bus.ts';
import { removeFolders, type Service } from '../../common/test/service.ts';
import { readStep } from '../src/changes.ts';
import { comment, post, startQuery } from './query-service.ts';

const POSTS = 5;
const COMMENTS = 12;
const KIB = 1024;
const text = 'x'.repeat(239 * KIB);

/** One for all tests, which read it; the last one adds to it. */
let service: Service;
beforeAll(async () => {
  service = await startQuery();
  for (let p = 1; p <= POSTS; p += 1) {
    await service.push([post(`p${p}`, { title: text })]).expect(200);
    for (let c = 1; c <= COMMENTS; c += 2) {
      const two = [c, c + 1].map((c) => comment(`p${p}c${c}`, `p${p}`, { content: text }));
      await service.push(two).expect(200);
    }
  }
});
afterAll(async () => {
  await service?.close();
  removeFolders();
});

const commentIds = (p: number) => Array.from({ length: COMMENTS }, (_, i) => `p${p}c${i + 1}`);
const sizeOf = (body: Json) => JSON.stringify(body).length / KIB;

test('the list is cut into smaller pages, and has every post once, with its first comments and the number of all', async () => {
  const pages = await service.pages('/posts');
  for (const page of pages) expect(sizeOf(page)).toBeLessThan(3 * KIB);
  const posts = pages.flatMap((page) => Object.values<Json>(page));
  expect(posts.map(({ id, commentCount }) => [id, commentCount])).toEqual(
    Array.from({ length: POSTS }, (_, i) => [`p${POSTS - i}`, COMMENTS]),
  );
  for (const { id, comments } of posts) {
    expect(comments.length).toBeGreaterThanOrEqual(1);
    const rest = await service.pages(`/posts/${id}?cursor=${comments.at(-1).id}`);
    for (const page of rest) expect(sizeOf(page)).toBeLessThan(3 * KIB);
    const all = [...comments, ...rest.flatMap((page) => page.comments)].map(({ id }) => id);
    expect(all).toEqual(commentIds(Number(id.slice(1))));
  }
});

test('a reader of the stream gets all of it, in small messages', async () => {
  const position = (await service.http.get('/posts?limit=1')).headers['stream-position'] ?? '';
  const leaving = new AbortController();
  const from = position.replace(/\d+$/, '0');
  const answer = await fetch(`${service.url}/stream?after=${from}`, { signal: leaving.signal });
  let streamed = '';
  const decoder = new TextDecoder();
  for await (const chunk of answer.body ?? []) {
    streamed += decoder.decode(chunk as Uint8Array, { stream: true });
    if (streamed.includes(`id: ${position}\n`) && streamed.endsWith('\n\n')) break;
  }
  leaving.abort();
  const messages = [...streamed.matchAll(/^data: ([^\n]*)\n\n/gm)].map(([, data = '']) => data);
  for (const message of messages) expect(message.length / KIB).toBeLessThan(KIB);
  const seen = messages.flatMap((message) => JSON.parse(message).comments.map(({ id }: { id: string }) => id));
  expect(seen).toEqual(Array.from({ length: POSTS }, (_, i) => commentIds(i + 1)).flat());
});

test("a step of the stream reads no more than fits into one answer, with or without the comments' posts", async () => {
  const early = Array.from({ length: 10 }, (_, c) => comment(`early${c}`, 'not here', { content: text }));
  for (const one of early) await service.push([one]).expect(200);
  await service.push(Array.from({ length: POSTS }, (_, p) => comment(`short${p}`, `p${p + 1}`))).expect(200);
  const head = POSTS * (COMMENTS + 1) + early.length + POSTS;
  let steps = 0;
  for (let upto = 0; upto < head; steps += 1) {
    const step = await service.db.read((tx) => readStep(tx, upto));
    expect(step.text.length / KIB).toBeLessThan(KIB);
    expect(step.upto - upto).toBeLessThan(4);
    upto = step.upto;
  }
  expect(steps).toBeGreaterThan(head / 4);
});
