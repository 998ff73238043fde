// The first process of a development container.

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { until } from '../lib/until.ts';
import { createCheckout, fakePart } from './checkout.ts';

let checkout: Awaited<ReturnType<typeof createCheckout>>;
beforeEach(async () => {
  checkout = await createCheckout();
});
afterEach(() => checkout.remove());

const start = (part: string) =>
  checkout.run('run/container.ts', [], { PART: part, HOST: '127.0.0.1', PORT: String(checkout.ports[part]) });
const answer = (part: string, text: string) =>
  until(`${part} says ${text}`, async () => {
    const now = await checkout.get(part);
    return now?.text === text ? now : undefined;
  });

describe('the first process of a development container', () => {
  test('prints the part’s log records as text, as npm start does', async () => {
    const container = start('posts');
    await until('a line', () => /^\d\d:\d\d:\d\d listening$/m.test(container.output()));
    expect(container.output()).not.toContain('"level"');
  });

  test('outlives a kill, a syntax error and an invalid setting of its part, and follows the edits', async () => {
    const container = start('posts');
    const { pid } = await answer('posts', 'first');
    process.kill(pid, 'SIGKILL');
    await until('another process', async () => ((await checkout.get('posts'))?.pid ?? pid) !== pid);
    checkout.edit('posts', 'const = 1;');
    await until('the error', () => container.output().includes('SyntaxError'));
    checkout.edit('posts', 'console.error("Invalid setting COLOUR"); process.exit(78);');
    await until('what it waits for', () => container.output().includes('waits for an edit or a new pod'));
    checkout.edit('posts', fakePart('repaired'));
    await answer('posts', 'repaired');
    expect(container.process.exitCode).toBeNull();
  });

  test('restarts the gateway on an edit, too', async () => {
    start('client');
    await answer('client', 'first');
    checkout.edit('client', fakePart('second'));
    await answer('client', 'second');
  });

  // Windows has no signals, and these containers run Linux.
  (process.platform === 'win32' ? test.skip : test)('ends its part and itself on SIGTERM', async () => {
    const container = start('posts');
    await answer('posts', 'first');
    container.process.kill('SIGTERM');
    expect(await container.exited).toBe(0);
    expect(await checkout.get('posts')).toBeUndefined();
  });
});
