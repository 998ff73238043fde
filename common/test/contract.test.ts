// The checker of the contract tests itself.

import { expect, test } from '@jest/globals';
import { Contract } from './contract.ts';

const health = { status: 'ok', version: '1.0.0' };

test.each<[string, object, string]>([
  ['that is not documented', { ...health, colour: 'red' }, 'the whole must NOT have unevaluated properties "colour"'],
  ['that is of another type', { ...health, version: 1 }, '/version must be string'],
  ['that is missing', { status: 'ok' }, "the whole must have required property 'version'"],
])('a violation of a contract names the property %s', async (_, body, reason) => {
  const contract = await Contract.of('posts');
  const sent = { method: 'GET', path: '/healthz' };
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  const found = contract.violations(sent, { status: 200, headers, body: JSON.stringify(body) });
  expect(found).toEqual([`${JSON.stringify(body)}: ${reason}`]);
});
