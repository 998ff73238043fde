// Many readers of query's stream while posts and comments are written.
import { once } from 'node:events';
import { type IncomingMessage, get as open } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { SERVERS } from '@blog/common/run/parts.ts';
import { post, until } from '../../e2e/lib/http.ts';
import { watchCost } from '../cost.ts';
import type { Figure } from '../figure.ts';
import { percentile } from '../load.ts';
import { keep, startOurs } from '../processes.ts';

const READERS = 1_000;
/** The number of streams opened at the same time. */
const AT_ONCE = 50;

/** Opens streams that only record the time at which each got the expected text. */
async function openReaders(url: string) {
  const streams: IncomingMessage[] = [];
  let wanted = Buffer.from('\0');
  let readers = new Map<IncomingMessage, number>();
  const stop = async () => {
    for (const stream of streams) stream.destroy();
  };
  await keep(Promise.resolve({ stop }));
  const openOne = async () => {
    const [stream] = (await once(open(url, { agent: false }), 'response')) as [IncomingMessage];
    if (stream.statusCode !== 200) throw new Error(`a reader was answered with ${stream.statusCode}`);
    stream.on('error', () => {}); // closed at the end
    // A message is smaller than a packet, so the text never arrives in two pieces.
    stream.on('data', (piece) => {
      if (!readers.has(stream) && piece.includes(wanted)) readers.set(stream, performance.now());
    });
    streams.push(stream);
  };
  while (streams.length < READERS) await Promise.all(Array.from({ length: AT_ONCE }, openOne));

  return {
    waitFor(text: string): void {
      wanted = Buffer.from(text);
      readers = new Map();
    },
    /** The time at which the last reader got the text. */
    async last(): Promise<number> {
      await until('every reader has it', () => readers.size === READERS);
      return Math.max(...readers.values());
    },
  };
}

export const readers: Figure = {
  name: 'readers',
  title: `${READERS} readers of query's stream, one comment a second and its verdict`,
  sides: ['ours'],
  units: { p50: 'ms from the 201 to the last reader', most: 'ms', processor: '% of a core, query' },

  async measure({ directory, quick }) {
    const { url, pids } = await startOurs(directory);
    const { id: postId } = (await post(`${url('posts')}/posts`, { title: 'a post' })).body;
    const comments = `${url('comments')}/posts/${postId}/comments`;
    const { waitFor, last } = await openReaders(`${url('query')}/stream`);
    const write = async (n: number) => {
      const content = `comment ${n} of many`;
      waitFor(content);
      const { status } = await post(comments, { content });
      const at = performance.now();
      if (status !== 201) throw new Error(`a comment was answered with ${status}`);
      return Math.max(0, (await last()) - at);
    };
    await write(0);

    const cost = watchCost([pids[SERVERS.indexOf('query')] as number]);
    const began = performance.now();
    const times: number[] = [];
    for (let n = 1; n <= (quick ? 5 : 20); n++) {
      times.push(await write(n));
      await pause(Math.max(0, began + n * 1_000 - performance.now()));
    }
    const { processor } = cost.stop();
    const values = { p50: percentile(times, 50), most: Math.max(...times) };
    return processor === undefined ? values : { ...values, processor: (100 * processor) / (performance.now() - began) };
  },

  goals: [{ text: 'from the 201 to the last reader, at most, ms', of: ({ ours }) => ours?.most, atMost: 100 }],
};
