// Invalid requests to the posts service.

import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { removeFolders, type Service } from '../../common/test/service.ts';
import { startPosts } from './posts-service.ts';

let service: Service;
beforeEach(async () => {
  service = await startPosts();
});
afterEach(() => service.close());
afterAll(removeFolders);

type Body = string | Uint8Array<ArrayBuffer>;
const send = (body: Body | undefined, headers: Record<string, string> = {}) =>
  fetch(`${service.url}/posts`, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });
const stored = async () => [
  ...(await service.rows('SELECT id FROM posts')),
  ...(await service.rows('SELECT seq FROM outbox')),
];
const titled = (title: unknown) => JSON.stringify({ title });
const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));

const cases: [
  what: string,
  status: number,
  body: Body | undefined,
  field?: string,
  headers?: Record<string, string>,
][] = [
  ['malformed JSON', 400, '{"title": '],
  ['no body', 400, undefined, 'body'],
  ['an array', 400, '["title"]', 'body'],
  ['null', 400, 'null'],
  ['a string', 400, '"title"'],
  ['arrays nested deep', 400, '['.repeat(30_000) + ']'.repeat(30_000), 'body'],
  ['101 levels', 400, `{"title":"a","deep":${'['.repeat(100)}${']'.repeat(100)}}`, 'body'],
  ['no title', 400, '{}', 'title'],
  ['a title that is a number', 400, titled(1), 'title'],
  ['a title that is null', 400, titled(null), 'title'],
  ['a title that is an array', 400, titled(['a']), 'title'],
  ['a title that is an object', 400, titled({ toString: 'a' }), 'title'],
  ['an empty title', 400, titled(''), 'title'],
  ['a title of whitespace', 400, titled(' \t\n\u00a0\u2003'), 'title'],
  ['a title of 201 characters', 400, titled('x'.repeat(201)), 'title'],
  ['a title of 201 emoji', 400, titled('🍊'.repeat(201)), 'title'],
  ['a NUL in the title', 400, titled('a\0b'), 'title'],
  ['half of a pair in the title', 400, '{"title":"a\\ud83cb"}', 'title'],
  ['bytes that are not UTF-8', 400, bytes('{"title":"\xff\xfe"}')],
  ['a title only in the prototype', 400, '{"__proto__":{"title":"a"}}', 'title'],
  ['a compressed body', 415, new Uint8Array(gzipSync(titled('a'))), undefined, { 'content-encoding': 'gzip' }],
  ['text', 415, titled('a'), undefined, { 'content-type': 'text/plain' }],
  ['a form', 415, 'title=a', undefined, { 'content-type': 'application/x-www-form-urlencoded' }],
  ['another charset', 415, titled('a'), undefined, { 'content-type': 'application/json; charset=iso-8859-1' }],
  ['more than 64 KiB', 413, titled('x'.repeat(65 * 1024))],
];

describe('is refused, and neither stored nor published:', () => {
  for (const [what, status, body, field, headers] of cases) {
    test(`${what} (${status})`, async () => {
      const answer = await send(body, headers);
      const problem = (await answer.json()) as { status: number; detail: string; errors?: unknown };
      expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
      expect([answer.status, problem.status]).toEqual([status, status]);
      expect(problem.detail).toEqual(expect.any(String));
      if (field) expect(problem.errors).toEqual([{ field, detail: expect.any(String) }]);
      expect(await stored()).toEqual([]);
    });
  }
});

describe('is taken:', () => {
  test.each([
    ['a title of 200 emoji', titled('🍊'.repeat(200)), '🍊'.repeat(200)],
    ['a title of 200 characters with space around it', titled(` ${'x'.repeat(200)} `), 'x'.repeat(200)],
    ['script in a title, as the text that it is', titled('<script>alert(1)</script>'), '<script>alert(1)</script>'],
    ['an unknown field, and a __proto__', '{"title":"a","seq":9,"id":"x","__proto__":{"polluted":1}}', 'a'],
  ])('%s', async (_, body, title) => {
    const plain = (await (await send(titled('a'))).json()) as object;
    const answer = await send(body, { 'content-type': 'application/json; charset=utf-8' });
    expect(answer.status).toBe(201);
    const taken = (await answer.json()) as object;
    expect(taken).toMatchObject({ id: expect.not.stringMatching(/^x$/), title });
    expect(Object.keys(taken)).toEqual(Object.keys(plain));
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});
