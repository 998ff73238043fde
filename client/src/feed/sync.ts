import { backoffMs } from '../api/backoff.ts';
import { parseMessage, readPosts } from '../api/blog.ts';
import { RequestError } from '../api/http.ts';
import { type LiveStream, openLiveStream } from '../api/live-stream.ts';
import type { FeedCore } from './core.ts';
import { fromList, withReread } from './feed.ts';

/** Between two reads of a list that does not say where the stream goes on from it. */
const READ_EVERY_MS = 2_000;

/** Keeps the feed in step with the read model: the list, then the stream behind it, and again after a reset. */
export function createSync(core: FeedCore) {
  /** Grows whenever the list is read anew. */
  let syncs = 0;
  let stream: LiveStream | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** True if the read model has a stream, by its last answer. */
  let hasStream = true;

  /** Reads the list and follows the stream from there; tries until it succeeds. */
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

  /** A read model without a stream, such as the classic one. */
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
    /** A read that a new start of the stream overtook may miss what lies between the two: it is made again. */
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
