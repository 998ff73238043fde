// Memory grows by at most 64 KiB for each idle reader of a stream.
import { once } from 'node:events';
import { type IncomingMessage, get as open } from 'node:http';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { memoryOf } from '../lib/footprint.ts';
import { type System, startSystem } from '../lib/system.ts';
import { writePost } from '../lib/writers.ts';

const READERS = process.env.LONG === '1' ? 500 : 300;
const MOST_KIB = 64;

let system: System;
const readers: IncomingMessage[] = [];

beforeAll(async () => {
  system = await startSystem('--production', '--without', 'client');
});
afterAll(async () => {
  for (const reader of readers) reader.destroy();
  await system?.stop();
});

/** Opens streams one after another; resolves once all have begun. */
async function openReaders(url: string, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const [reader] = (await once(open(url, { agent: false }), 'response')) as [IncomingMessage];
    expect(reader.statusCode).toBe(200);
    reader.resume().on('error', () => {});
    readers.push(reader);
  }
}

(process.platform === 'linux' ? test : test.skip).each(['query', 'event-bus'])(
  'an idle reader of the stream of %s takes at most 64 KiB',
  async (name) => {
    const pid = (await system.pids()).get(name) as number;
    const url = `${system.url(name)}/stream`;
    // The first streams also trigger one-time allocations of the runtime.
    await openReaders(url, 100);
    await writePost(system, `for the first readers of ${name}`, 4);
    await system.quiet();
    const before = memoryOf(pid);
    await openReaders(url, READERS);
    await writePost(system, `for all readers of ${name}`, 4);
    await system.quiet();
    const each = (memoryOf(pid) - before) / READERS;
    if (process.env.LONG === '1') process.stdout.write(`a reader of ${name}: ${each.toFixed(1)} KiB\n`);
    expect(each).toBeLessThan(MOST_KIB);
  },
);
