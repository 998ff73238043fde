import { RequestError, request } from './http.ts';

/** What the gateway gives of the parts and of the bus: how events travel, for looking on, and what a person may do. */
export const PARTS = ['client', 'posts', 'comments', 'query', 'moderation', 'event-bus'] as const;
export type PartName = (typeof PARTS)[number];

/** `degraded` says what is not as it should be, in words; a part that does not answer at all is away. */
export type PartState =
  | { state: 'ready'; degraded: string[] }
  | { state: 'not ready'; reason: string }
  | { state: 'away' };

/** How far a subscriber is. `lag` is in events, `lagSeconds` how old the first of these is. */
export type Subscription = {
  name: string;
  url: string;
  kind: 'unknown' | 'checkpointed' | 'plain';
  position: number;
  lag: number;
  lagSeconds: number;
  state: 'starting' | 'live' | 'retrying' | 'paused' | 'diverged';
  /** A replay that was ordered and not taken yet. */
  replay: { id: string; from: number } | null;
  lastError: string | null;
  nextAttempt: string | null;
};

/** An event: CloudEvents 1.0. `time` is when it was made, `recordedtime` when it came to the log. */
export type RecordedEvent = {
  specversion?: '1.0';
  id: string;
  source: string;
  type: string;
  subject?: string;
  time: string;
  recordedtime?: string;
  traceparent?: string;
  data: unknown;
};

/** An event of the log, and its place. */
export type LogEntry = RecordedEvent & { position: number };

/** When an event reached a subscriber, and at which attempt. */
export type Arrival = { subscription: string; deliveredAt: string; attempts: number };

/** An event that a subscriber could not take. */
export type DeadLetter = {
  id: string;
  subscription: string;
  position: number;
  reason: string;
  parkedAt: string;
  event: RecordedEvent;
};

/** How far back the bus remembers deliveries, in positions. */
export const REMEMBERED = 10_000;

const BASE = '/api/system';

/** The bus goes through a whole log to find a rare type, which takes as long as it takes. In milliseconds. */
const SEARCH_MS = 60_000;

/** Whether a part can be used, as it says itself; throws only what `request` throws for other reasons than the part's. */
export async function readPart(part: PartName): Promise<PartState> {
  try {
    const { data } = await request<{ degraded?: string[] }>({ url: `${BASE}/parts/${part}`, timeout: 5_000 });
    return { state: 'ready', degraded: data.degraded ?? [] };
  } catch (error) {
    // The gateway says of a part that does not answer that it is not answering; a part says why it is not ready.
    if (!(error instanceof RequestError) || error.status === undefined) return { state: 'away' };
    // One of somebody else's in the place of ours: all that it says is that it is there.
    if (error.status === 404) return { state: 'ready', degraded: [] };
    return / is not answering\./.test(error.message)
      ? { state: 'away' }
      : { state: 'not ready', reason: error.message };
  }
}

/** Whether the bus may be controlled from this page. */
export async function readControl(): Promise<boolean> {
  const { data } = await request<{ control?: boolean }>({ url: `${BASE}/parts/client` });
  return data.control === true;
}

export async function readSubscriptions(): Promise<Subscription[]> {
  return (await request<Subscription[]>({ url: `${BASE}/subscriptions`, timeout: 5_000 })).data;
}

export type LogFilter = { type?: string; subject?: string };
/** Some of the log, and the checkpoint of its end: a stream goes on from there. */
export type LogPage = { entries: LogEntry[]; head: string | undefined };

/** Reads the newest events before a position, or of all. `signal` ends it. */
export function readLog(
  filter: LogFilter,
  limit: number,
  before = Number.MAX_SAFE_INTEGER,
  signal?: AbortSignal,
): Promise<LogPage> {
  return readPage({ ...filter, before, limit }, signal);
}

/** Reads the oldest events behind a position. */
export function readLogAfter(filter: LogFilter, limit: number, after: number, signal?: AbortSignal): Promise<LogPage> {
  return readPage({ ...filter, after, limit }, signal);
}

/** The event at a position; undefined if the log does not reach it. */
export async function readEvent(position: number): Promise<LogEntry | undefined> {
  const { entries } = await readLogAfter({}, 1, position - 1);
  return entries[0];
}

/** Who has got the event at a position; empty for one that is older than the bus remembers. */
export async function readDeliveries(position: number): Promise<Arrival[]> {
  return (await request<Arrival[]>({ url: `${BASE}/log/${position}/deliveries` })).data;
}

/** A page of dead letters, newest first, behind the letter `cursor`. */
export async function readDeadLetters(cursor?: string): Promise<{ letters: DeadLetter[]; hasNext: boolean }> {
  const { data, headers } = await request<DeadLetter[]>({ url: `${BASE}/dead-letters`, params: { cursor } });
  return { letters: data, hasNext: /rel="?next"?/i.test(String(headers.link ?? '')) };
}

/** Where the log's stream is, behind a checkpoint. */
export const logStream = (checkpoint: string): string => `${BASE}/log/stream?after=${encodeURIComponent(checkpoint)}`;

/** What a person may do to a subscription; `from` is the first position of a replay. Throws RequestError. */
export async function control(
  name: string,
  command: 'pause' | 'resume' | 'skip' | 'replay',
  from?: number,
): Promise<Subscription> {
  const url = `${BASE}/subscriptions/${encodeURIComponent(name)}/${command}`;
  return (await request<Subscription>({ method: 'POST', url, data: from === undefined ? {} : { from } })).data;
}

/** Delivers a dead letter once more. Throws RequestError: 404 gone, 409 refused again, 503 the subscriber is away. */
export async function redeliver(id: string): Promise<void> {
  await request({ method: 'POST', url: `${BASE}/dead-letters/${encodeURIComponent(id)}/redeliver`, data: {} });
}

/** Discards a dead letter for good. */
export async function discard(id: string): Promise<void> {
  await request({ method: 'DELETE', url: `${BASE}/dead-letters/${encodeURIComponent(id)}` });
}

async function readPage(params: object, signal: AbortSignal | undefined): Promise<LogPage> {
  const config = { url: `${BASE}/log`, params, timeout: SEARCH_MS, ...(signal && { signal }) };
  const { data, headers } = await request<LogEntry[]>(config);
  return { entries: data, head: headers['event-head'] };
}
