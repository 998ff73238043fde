import { backoffMs } from '../shared/backoff.ts';
import { RequestError } from '../shared/http.ts';
import { type LiveStream, openLiveStream } from '../shared/live-stream.ts';
import type { FeedCore } from './core.ts';
import { fromList, withReread } from './feed.ts';
import { parseMessage, readPosts } from './requests.ts';

/** The polling interval for a read model without a stream position in its list. */
const READ_EVERY_MS = 2_000;

/**
 * Keeps the feed in sync with the read model: reads the list, follows the stream from its position, and starts over
 * after a reset.
 */
export function createSync(core: FeedCore) {
  /** Incremented by each start, so that answers to an earlier one are ignored. */
  let syncs = 0;
  let stream: LiveStream | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** True if the read model's last answer named a stream position. */
  let hasStream = true;

  /** Reads the list and follows the stream from there; retries until it succeeds. */
  async function start(attempt = 0): Promise<void> {
    stop();
    const mine = syncs;
    const first = core.getState().phase !== 'ready';
    stream = openStream();
    try {
      await stream.joined;
      const { position } = await core.merge(
        () => readPosts(),
        (list) => {
          const { feed } = core.getState();
          if (mine !== syncs) return feed;
          return first ? fromList(list) : withReread(feed, list, core.isOwn);
        },
        !first,
      );
      if (mine !== syncs) return;
      core.set({ phase: 'ready' });
      hasStream = position !== undefined;
      if (position !== undefined) stream.follow(position);
      else readAgainLater();
    } catch (error) {
      if (mine !== syncs) return;
      stream.close();
      core.set(first ? { phase: 'failed' } : { connection: 'lost' });
      const asked = error instanceof RequestError ? error.retryAfterMs : undefined;
      timer = setTimeout(() => void start(attempt + 1), Math.max(backoffMs(attempt), asked ?? 0));
    }
  }

  function openStream() {
    let lost = false;
    return openLiveStream({
      path: '/stream',
      onMessage: (data) => {
        const message = parseMessage(data);
        if (message) core.receive(message);
      },
      onReset: () => void start(),
      onState: (connection) => {
        if (!hasStream) return;
        if (connection === 'lost' && !lost) core.announce('Connection lost. Trying to reconnect.');
        if (connection === 'live' && lost) core.announce('Connected again.');
        if (connection !== 'connecting') lost = connection === 'lost';
        if (connection !== core.getState().connection) core.set({ connection });
      },
    });
  }

  /** Polls a read model without a stream, such as the classic one. */
  function readAgainLater() {
    stream?.close();
    core.set({ connection: 'live' });
    timer = setTimeout(() => void start(), READ_EVERY_MS);
  }

  function stop() {
    syncs += 1;
    clearTimeout(timer);
    stream?.close();
  }

  return {
    start: () => void start(),
    stop,
    /** Repeats a read that a restart of the stream has overtaken, because it may miss changes between the two. */
    async upToDate<T>(read: () => Promise<T>): Promise<T> {
      for (;;) {
        const before = syncs;
        const answer = await read();
        if (before === syncs) return answer;
      }
    },
  };
}

export type Sync = ReturnType<typeof createSync>;
