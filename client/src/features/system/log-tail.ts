import { backoffMs } from '../../api/backoff.ts';
import { type LogEntry, parseStreamed } from '../../api/bus.ts';
import { type LiveStream, openLiveStream } from '../../api/live-stream.ts';
import type { StreamState } from '../../api/source.ts';
import { LOG_STREAM, readLog } from '../../api/system.ts';
import { createBatch } from '../../feed/batch.ts';

/** What the stream brings is handed over together, at most this often: thousands of events a second are usual. */
const APPLY_EVERY_MS = 100;
/** How many of the newest events are held. */
export const RECENT = 200;

type Options = {
  /** The newest events, oldest first, when nothing was known, or what was known is no longer so. */
  onBegin: (entries: LogEntry[]) => void;
  /** What has come since, oldest first, without gaps. */
  onEvents: (entries: LogEntry[]) => void;
  onState: (state: StreamState) => void;
};

/**
 * Follows the end of the log. First the checkpoint of its end, then the newest events, then the stream behind that
 * checkpoint: what comes in between may so come twice, which its position tells, and is never missed.
 */
export function createLogTail({ onBegin, onEvents, onState }: Options) {
  let stream: LiveStream | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Grows with every new beginning. */
  let runs = 0;
  /** The newest position that was handed over. */
  let last = 0;

  const arrived = createBatch<string>(APPLY_EVERY_MS, (messages) =>
    take(messages.flatMap((text) => parseStreamed(text) ?? [])),
  );

  function take(entries: LogEntry[]) {
    const fresh = entries.filter(({ position }) => position > last);
    last = fresh.at(-1)?.position ?? last;
    if (fresh.length > 0) onEvents(fresh);
  }

  async function follow(attempt = 0): Promise<void> {
    stop();
    const mine = runs;
    stream = openLiveStream({ path: LOG_STREAM, onMessage: arrived.add, onReset: () => void follow(), onState });
    try {
      await stream.joined;
      const { head } = await readLog({}, 1);
      const { entries } = await readLog({}, RECENT);
      if (mine !== runs) return;
      entries.reverse();
      last = entries.at(-1)?.position ?? 0;
      onBegin(entries);
      stream.follow(head);
    } catch {
      if (mine !== runs) return;
      stop();
      onState('lost');
      timer = setTimeout(() => void follow(attempt + 1), backoffMs(attempt));
    }
  }

  function stop() {
    runs += 1;
    clearTimeout(timer);
    stream?.close();
    stream = undefined;
    arrived.flush();
  }

  return {
    start: () => void follow(),
    stop,
    /** Tries at once what would be tried later. */
    retry() {
      if (stream) stream.retry();
      else void follow();
    },
  };
}
