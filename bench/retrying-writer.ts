// A writer that publishes one event after another to copies of a bus, and tells for how long none was acknowledged.
import { setTimeout as pause } from 'node:timers/promises';
import { createEvent, PLAIN } from '../common/src/core/events.ts';
import { until } from '../e2e/lib/http.ts';

/** The pause after each request, and the wait for an answer, in milliseconds. */
const PAUSE = 20;
const PATIENCE = 1_000;
/** After a fault, writing has to go on for so many events. */
const GOES_ON = 10;

/**
 * Starts to write. A refused event is published again, to the next copy; one that was acknowledged is followed by the next
 * event, at the same copy.
 */
export function startWriter(urls: string[]) {
  let going = true;
  let acknowledged = 0;
  let latest = performance.now();
  let longest = 0;

  const take = async (url: string, body: string) => {
    const sent = { method: 'POST', headers: { 'content-type': PLAIN }, body, signal: AbortSignal.timeout(PATIENCE) };
    const answer = await fetch(`${url}/events`, sent).catch(() => undefined);
    await answer?.arrayBuffer().catch(() => {});
    return answer?.status === 201;
  };
  async function write(): Promise<void> {
    for (let at = 0; going; await pause(PAUSE)) {
      const data = {
        id: `written ${acknowledged}`,
        postId: 'written',
        content: 'a comment',
        status: 'pending',
      } as const;
      const body = JSON.stringify(createEvent('bench', 'CommentCreated', data));
      while (going && !(await take(urls[at % urls.length] as string, body))) {
        at += 1;
        await pause(PAUSE);
      }
      if (!going) return;
      longest = Math.max(longest, performance.now() - latest);
      latest = performance.now();
      acknowledged += 1;
    }
  }
  const writing = write();

  const goesOn = async () => {
    const from = acknowledged;
    await until('writes go on', () => acknowledged >= from + GOES_ON, 60_000);
  };
  return {
    /** The longest time, in seconds, without an acknowledged write while this is done, until writes go on. */
    async longestStop(done: () => Promise<unknown>): Promise<number> {
      await goesOn();
      longest = 0;
      await done();
      await goesOn();
      return longest / 1_000;
    },
    async stop(): Promise<void> {
      going = false;
      await writing;
    },
  };
}
