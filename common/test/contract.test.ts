// The checker of the contract tests itself.

import { expect, test } from '@jest/globals';
import { Contract } from './contract.ts';

const json = { 'content-type': 'application/json', 'cache-control': 'no-store' };
const post = { id: '1', title: 'Hello', createdAt: '2026-11-21T16:29:35.741Z' };

test.each<[string, object, string]>([
  ['that is not documented', { ...post, colour: 'red' }, 'the whole must NOT have unevaluated properties "colour"'],
  ['that is of another type', { ...post, title: 1 }, '/title must be string,null'],
  ['that is missing', { id: '1', title: 'Hello' }, "the whole must have required property 'createdAt'"],
])('a violation of a contract names the property %s', async (_, body, reason) => {
  const contract = await Contract.of('posts');
  const sent = { method: 'POST', path: '/posts' };
  const headers = { ...json, location: '/posts/1' };
  const found = contract.violations(sent, { status: 201, headers, body: JSON.stringify(body) });
  expect(found).toEqual([`${JSON.stringify(body)}: ${reason}`]);
});
