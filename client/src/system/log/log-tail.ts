import { backoffMs } from '../../shared/backoff.ts';
import { createBatch } from '../../shared/batch.ts';
import { openLiveStream } from '../../shared/live-stream.ts';
import { type LogEntry, parseStreamed } from '../bus.ts';
import { LOG_STREAM, readLog } from '../requests.ts';

/** Throttle: events are handed over in batches at this interval, because thousands per second are usual. */
const APPLY_EVERY_MS = 100;
/** The number of newest events read at the start. */
const RECENT = 200;

type Options = {
  /** The newest events, newest first: at the start, and whenever the events known so far are no longer valid. */
  onBegin: (entries: LogEntry[]) => void;
  /** New events, oldest first, without gaps. */
  onEvents: (entries: LogEntry[]) => void;
};

/** Follows the end of the log. Reads the newest events and the head's checkpoint, then streams from that checkpoint. */
export function createLogTail({ onBegin, onEvents }: Options) {
  /** Incremented by each end, so that an answer to an earlier run is ignored. */
  let runs = 0;
  let closeStream: (() => void) | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** The last position that was handed over. */
  let last = 0;
  /** The checkpoint of the last message: the stream can continue from there. */
  let checkpoint = '';

  const arrived = createBatch<string>(APPLY_EVERY_MS, (messages) => {
    const fresh = messages.flatMap((text) => parseStreamed(text) ?? []).filter(({ position }) => position > last);
    last = fresh.at(-1)?.position ?? last;
    if (fresh.length > 0) onEvents(fresh);
  });

  async function follow(attempt = 0): Promise<void> {
    stop();
    const mine = runs;
    try {
      const { head, entries } = await readLog({ limit: RECENT });
      if (mine !== runs) return;
      last = entries[0]?.position ?? 0;
      checkpoint = head;
      onBegin(entries);
      open();
    } catch {
      if (mine !== runs) return;
      stop();
      timer = setTimeout(() => void follow(attempt + 1), backoffMs(attempt));
    }
  }

  function open() {
    closeStream?.();
    closeStream = openLiveStream({
      ...{ path: LOG_STREAM, position: checkpoint, onReset: follow, onState: () => undefined },
      onMessage(text, id) {
        checkpoint = id || checkpoint;
        arrived.add(text);
      },
    });
  }

  function stop() {
    runs += 1;
    clearTimeout(timer);
    closeStream?.();
    closeStream = undefined;
    arrived.flush();
  }

  return {
    start: () => void follow(),
    /** Tries now, instead of after the backoff: continues the stream without a gap, or reads again if there is none. */
    resume: () => (closeStream ? open() : void follow()),
    stop,
  };
}
