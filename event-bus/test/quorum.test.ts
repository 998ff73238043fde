// The bus on a quorum: real processes of the bus and of NATS, killed and stopped.

import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import { type Nats, startNats, withNats } from '../../scripts/lib/nats.ts';
import { until } from './bus.ts';
import { type Copy, leaderOf, startCopy } from './quorum-copies.ts';

jest.setTimeout(60_000);
const natsTest = withNats(test);

let nats: Nats;
const copies: Copy[] = [];
const start = async (options: Parameters<typeof startCopy>[0] = {}) => {
  const copy = await startCopy({ NATS_URL: nats.url, ...options });
  copies.push(copy);
  return copy;
};

beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats?.stop());
afterEach(async () => {
  for (const copy of copies.splice(0)) await copy.remove();
});

natsTest('two copies have one log, and either takes publications', async () => {
  const a = await start();
  const b = await start({ name: 'event-bus-1' });
  await leaderOf(a, b);
  await a.publish('e1').expect(201);
  await b.publish('e2').expect(201);
  expect(await a.ids()).toEqual(['e1', 'e2']);
  expect(await b.ids()).toEqual(['e1', 'e2']);
  await until(async () => expect((await b.ready()).quorum.copies).toEqual(['event-bus-0', 'event-bus-1']));
});
