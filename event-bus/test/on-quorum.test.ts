// The tests in which the log matters, once more with the log on a quorum: of one node, because nothing fails here.

import { afterAll, test } from '@jest/globals';
import { findNats, startNats } from '../../scripts/lib/nats.ts';
import { useQuorum } from './bus.ts';
import { deleteStreams } from './quorum-copies.ts';

if ('program' in findNats() || process.env.REQUIRE_NATS) {
  const nats = await startNats({ count: 1 });
  afterAll(() => nats.stop());
  useQuorum({ servers: nats.url.split(','), clear: () => deleteStreams(nats.url) });
  for (const suite of ['publishing', 'publication', 'delivering', 'dead-letters']) await import(`./${suite}.test.ts`);
} else {
  test.skip('there is no nats-server', () => {});
}
