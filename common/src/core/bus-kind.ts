// Tells the answers of our bus and of a classic one (an array in memory, no positions) from those of a stranger.
import type { IncomingHttpHeaders } from 'node:http';
import { type Checkpoint, checkpointText } from './checkpoint.ts';
import { type CloudEvent, EVENT_TYPES, parseEvent } from './events.ts';
import { type Answer, type Bus, exchange, NoAnswer } from './exchange.ts';

/** The maximum size of a classic bus's whole history, in bytes. */
const CLASSIC_HISTORY = 64 * 1024 * 1024;

/** Tells our bus's problem document (RFC 9457 §3) from any other refusal, a classic bus's or a stranger's. */
export const isProblem = ({ status, headers, body }: Answer): boolean =>
  (headers['content-type'] ?? '').startsWith('application/problem+json') &&
  (body as { status?: unknown } | undefined)?.status === status;

export const headOf = (headers: IncomingHttpHeaders): Checkpoint | undefined =>
  checkpointText.safeParse(headers['event-head']).data;

/**
 * Asks the bus for its events, and so for its kind: a classic one names no positions, and answers with all that it has. Ours
 * delivers at once to the copy that asks.
 * @returns undefined if this is not the answer of a bus
 */
export async function askForEvents({ url, publisher }: Bus, ending: AbortSignal) {
  const question = { method: 'GET', url: `${url}/events?limit=1`, limit: CLASSIC_HISTORY, ending } as const;
  const { status, headers, body } = await exchange({ ...question, headers: { 'event-publisher': publisher } });
  if (status !== 200 || !Array.isArray(body)) return undefined;
  const events: unknown[] = body;
  const [first] = events as { position?: unknown }[];
  const isClassic = events.length > 0 ? typeof first?.position !== 'number' : headers['event-head'] === undefined;
  return { isClassic, events, head: headOf(headers) };
}

/**
 * Asks the bus for the event that its log has under the source and id of this one.
 * @returns undefined if there is none of this type and subject
 * @throws NoAnswer if the bus does not say
 */
export async function askForEvent({ url }: Bus, { source, id, type, subject = '' }: CloudEvent, ending: AbortSignal) {
  const query = new URLSearchParams({ type, subject });
  const question = { method: 'GET', url: `${url}/events?${query}`, limit: CLASSIC_HISTORY, ending } as const;
  const { status, body } = await exchange(question);
  if (status !== 200 || !Array.isArray(body)) throw new NoAnswer(`the bus answered ${status}`, true);
  const { position, ...event } = body.find((there) => there.source === source && there.id === id) ?? {};
  return position && parseEvent(event, EVENT_TYPES);
}
