// Invalid input is refused by every part that accepts any, and leaves nothing behind.
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { check, takeSnapshot } from '../lib/checker.ts';
import { get, post } from '../lib/http.ts';
import { type System, startSystem } from '../lib/system.ts';
import { type Written, writePost, writesOf } from '../lib/writers.ts';

let system: System;
let known: Written;
beforeAll(async () => {
  system = await startSystem('--production', '--without', 'client');
  known = await writePost(system, 'known', 1);
  await system.quiet();
});
afterAll(() => system?.stop());

type Bytes = Uint8Array<ArrayBuffer>;
const latin1 = (text: string): Bytes => new Uint8Array(Buffer.from(text, 'latin1'));
const JSON_TYPE = { 'content-type': 'application/json' };
const GZIP = { ...JSON_TYPE, 'content-encoding': 'gzip' };

/** The routes that accept input, the field of their text, and their other required fields. */
const doors = () => [
  { url: `${system.url('posts')}/posts`, field: 'title', rest: '' },
  { url: `${system.url('comments')}/posts/${known.id}/comments`, field: 'content', rest: '' },
  { url: `${system.url('event-bus')}/events`, field: 'type', rest: ',"data":{"id":"bad"}' },
];

const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
const inputs: [string, number, (field: string, rest: string) => string | Bytes, Record<string, string>?][] = [
  ['malformed JSON', 400, (field) => `{"${field}": `],
  ['bad UTF-8', 400, (field, rest) => latin1(`{"${field}":"\xff\xfe"${rest}}`)],
  ['cut UTF-8', 400, (field, rest) => latin1(`{"${field}":"\xe2\x82"${rest}}`)],
  ['deep nesting', 400, (field, rest) => `{"${field}":"a"${rest},"deep":${deep(30_000)}}`],
  ['one level too deep', 400, (field, rest) => `{"${field}":"a"${rest},"deep":${deep(100)}}`],
  ['NUL', 400, (field, rest) => `{"${field}":"a\\u0000b"${rest}}`],
  ['a lone surrogate', 400, (field, rest) => `{"${field}":"a\\ud800"${rest}}`],
  ['another type', 400, (field, rest) => `{"${field}":{"toString":"a"}${rest}}`],
  ['what is only in __proto__', 400, (field, rest) => `{"__proto__":{"${field}":"polluted"}${rest}}`],
  ['what is only in constructor', 400, (field, rest) => `{"constructor":{"prototype":{"${field}":"polluted"}}${rest}}`],
  ['nothing, after those', 400, () => '{}'],
  ['a body over the limit', 413, (field) => `{"${field}":"${'a'.repeat(2 * 1024 * 1024)}"}`],
  ['a gzip bomb', 415, () => new Uint8Array(gzipSync('a'.repeat(50_000_000))), GZIP],
  ['a form', 415, (field) => `${field}=a`, { 'content-type': 'application/x-www-form-urlencoded' }],
  ['plain text', 415, (field, rest) => `{"${field}":"a"${rest}}`, { 'content-type': 'text/plain' }],
];

test('is refused with its status and problem details at every route, and nothing is stored', async () => {
  const snapshot = JSON.stringify(await takeSnapshot(system));
  for (const { url, field, rest } of doors()) {
    for (const [what, status, make, headers = JSON_TYPE] of inputs) {
      const answer = await fetch(url, { method: 'POST', headers, body: make(field, rest) });
      expect([url, what, answer.status]).toEqual([url, what, status]);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect(await answer.json()).toMatchObject({ status, detail: expect.any(String) });
    }
  }
  expect(JSON.stringify(await takeSnapshot(system))).toBe(snapshot);
});

test('unknown members, including __proto__, are ignored, and change no object', async () => {
  const [posts, comments] = doors();
  const extra = ',"__proto__":{"polluted":1,"id":"mine"},"id":"mine","status":"approved","unknown":{"a":[1]}}';
  const made: Written = { id: '', title: 'with more', comments: [] };
  for (const [door, text] of [
    [posts, made.title],
    [comments, 'a comment with more'],
  ] as const) {
    const body = `{"${door?.field}":"${text}"${extra}`;
    const answer = await fetch(door?.url ?? '', { method: 'POST', headers: JSON_TYPE, body });
    expect(answer.status).toBe(201);
    const { id, ...stored } = (await answer.json()) as Record<string, string>;
    expect(id).not.toBe('mine');
    expect(Object.keys(stored).filter((name) => ['polluted', 'unknown'].includes(name))).toEqual([]);
    expect(stored.status ?? 'pending').toBe('pending');
    if (door === posts) made.id = id ?? '';
    else known.comments.push({ id: id ?? '', content: text, status: 'approved' });
  }
  expect((await post(posts?.url ?? '', {})).status).toBe(400);
  await system.quiet();
  expect((await get(`${system.url('query')}/posts/${made.id}`)).body).toMatchObject({ title: made.title });
  expect(check(writesOf([known, made]), await takeSnapshot(system))).toEqual([]);
});
