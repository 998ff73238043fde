import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { apiDocs } from '../api-docs.ts';
import { type Json, link, typeOf } from '../api-words.ts';
import { root } from '../parts.ts';

const page = apiDocs();

test('docs/api.md is what the contracts say; otherwise: npm run docs', () => {
  expect(readFileSync(join(root, 'docs/api.md'), 'utf8')).toBe(page);
});

test('every link in it leads to a heading or an operation, and no two of these have the same address', () => {
  const headings = page.match(/^#+ .*$/gm)?.map((line) => line.replace(/^#+ /, '')) ?? [];
  const anchors = [...page.matchAll(/<a id="(.*?)">/g)].map(([, id]) => `#${id}`);
  const addresses = [...headings.map((heading) => /\((.*)\)$/.exec(link(heading))?.[1]), ...anchors];
  const linked = [...page.matchAll(/\]\((#.*?)\)/g)].map(([, address]) => address);
  expect(linked.filter((address) => !addresses.includes(address))).toEqual([]);
  const ambiguous = addresses.filter((address, i) => linked.includes(address) && addresses.indexOf(address) !== i);
  expect(ambiguous).toEqual([]);
});

test.each<[Json, string]>([
  [{ type: 'integer', minimum: 1, maximum: 1000, default: 50 }, 'integer, 1 to 1000, 50 if not given'],
  [{ type: 'string', minLength: 1 }, 'string, not empty'],
  [{ type: ['string', 'null'], maxLength: 9 }, 'string, at most 9 characters or null'],
  [{ enum: ['a', 'b'] }, '`"a"` or `"b"`'],
  [{ type: 'array', minItems: 1, maxItems: 5, items: { $ref: 'X' } }, 'list of → X, 1 to 5 of them'],
  [{ type: 'object', additionalProperties: { $ref: 'X' } }, 'object of → X, each under its id'],
  [{ type: 'object', required: ['a'], properties: { a: { const: 1 }, b: {} } }, '{ `a`: `1`, `b`?: anything }'],
  [{ allOf: [{ $ref: 'X' }], properties: { a: { type: 'number' } } }, '→ X with { `a`?: number }'],
  [{ anyOf: [{ $ref: 'X' }, { type: 'array', items: { $ref: 'X' } }] }, '→ X or list of → X'],
])('%j is said as: %s', (schema, words) => {
  expect(typeOf(schema, ({ $ref }) => `→ ${$ref}`)).toBe(words);
});
