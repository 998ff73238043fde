import {
  type Arrival,
  type DeadLetter,
  type LogEntry,
  parseArrival,
  parseEntry,
  parseLetter,
  parseSubscription,
  type Subscription,
} from './bus.ts';
import { hasNext, RequestError, read, request } from './http.ts';
import { fieldsOf, itemsOf, textOf } from './parse.ts';
import { HAS_NO_SUCH } from './source.ts';

/** What the gateway gives of the parts and of the bus: how events travel, for looking on, and what a person may do. */
export const PARTS = ['client', 'posts', 'comments', 'query', 'moderation', 'event-bus'] as const;
export type PartName = (typeof PARTS)[number];

/** `degraded` says what is not as it should be, in words; a part that does not answer at all is away. */
export type PartState =
  | { state: 'ready'; degraded: string[] }
  | { state: 'not ready'; reason: string }
  | { state: 'away' };

/** How far back the bus remembers deliveries, in positions. */
export const REMEMBERED = 10_000;

const BASE = '/api/system';

/** The bus goes through a whole log to find a rare type, which takes as long as it takes. In milliseconds. */
const SEARCH_MS = 60_000;

/** Whether a part can be used, as it says itself; throws only what `request` throws for other reasons than the part's. */
export async function readPart(part: PartName): Promise<PartState> {
  try {
    const { data } = await request({ url: `${BASE}/parts/${part}`, timeout: 5_000 });
    return { state: 'ready', degraded: itemsOf(fieldsOf(data).degraded, textOf) };
  } catch (error) {
    // The gateway says of a part that does not answer that it is not answering; a part says why it is not ready.
    if (!(error instanceof RequestError) || error.status === undefined) return { state: 'away' };
    // One of somebody else's in the place of ours: all that it says is that it is there.
    if (error.status !== 503) return { state: 'ready', degraded: [] };
    return / is not answering\./.test(error.message)
      ? { state: 'away' }
      : { state: 'not ready', reason: error.message };
  }
}

/** Whether the bus may be controlled from this page. */
export async function readControl(): Promise<boolean> {
  const { data } = await request({ url: `${BASE}/parts/client` });
  return fieldsOf(data).control === true;
}

/** Undefined from a bus that has none to show, as the classic one. */
export async function readSubscriptions(): Promise<Subscription[] | undefined> {
  try {
    const { data } = await request({ url: `${BASE}/subscriptions`, timeout: 5_000 });
    return Array.isArray(data) ? itemsOf(data, parseSubscription) : undefined;
  } catch (error) {
    if (error instanceof RequestError && HAS_NO_SUCH.includes(error.status ?? 0)) return undefined;
    throw error;
  }
}

export type LogFilter = { type?: string; subject?: string };
/** Some of the log, and the checkpoint of its end: a stream goes on from there. */
export type LogPage = { entries: LogEntry[]; head: string };

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
  return itemsOf((await read({ url: `${BASE}/log/${position}/deliveries` })).data, parseArrival);
}

/** A page of dead letters, newest first, behind the letter `cursor`. */
export async function readDeadLetters(cursor?: string): Promise<{ letters: DeadLetter[]; hasNext: boolean }> {
  const { data, headers } = await read({ url: `${BASE}/dead-letters`, params: { cursor } });
  return { letters: itemsOf(data, parseLetter), hasNext: hasNext(headers) };
}

/** The address of the log's stream. */
export const LOG_STREAM = `${BASE}/log/stream`;

/** What a person may do to a subscription; `from` is the first position of a replay. Throws RequestError. */
export async function control(
  name: string,
  command: 'pause' | 'resume' | 'skip' | 'replay',
  from?: number,
): Promise<void> {
  const url = `${BASE}/subscriptions/${encodeURIComponent(name)}/${command}`;
  await request({ method: 'POST', url, data: from === undefined ? {} : { from } });
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
  const { data, headers } = await read(config);
  const head = textOf(headers['event-head']);
  if (head === undefined) throw new RequestError('this bus does not say where its log ends');
  return { entries: itemsOf(data, parseEntry), head };
}
