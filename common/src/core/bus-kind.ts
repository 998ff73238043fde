// Tells the answers of our bus and of a classic one (an array in memory, no positions) from those of a stranger.
import type { IncomingHttpHeaders } from 'node:http';
import { type Checkpoint, checkpointText } from './checkpoint.ts';
import { type Answer, type Bus, exchange } from './exchange.ts';

/** The maximum size of a classic bus's whole history, in bytes. */
const CLASSIC_HISTORY = 64 * 1024 * 1024;

/** Tells our bus's problem document (RFC 9457 §3) from any other refusal, a classic bus's or a stranger's. */
export const isProblem = ({ status, headers, body }: Answer): boolean =>
  (headers['content-type'] ?? '').startsWith('application/problem+json') &&
  (body as { status?: unknown } | undefined)?.status === status;

export const headOf = (headers: IncomingHttpHeaders): Checkpoint | undefined =>
  checkpointText.safeParse(headers['event-head']).data;

/**
 * Asks the bus for its events, and so for its kind: a classic one names no positions, and answers with all that it has.
 * @returns undefined if this is not the answer of a bus
 */
export async function askForEvents({ url }: Bus, ending: AbortSignal) {
  const question = { method: 'GET', url: `${url}/events?limit=1`, limit: CLASSIC_HISTORY, ending } as const;
  const { status, headers, body } = await exchange(question);
  if (status !== 200 || !Array.isArray(body)) return undefined;
  const events: unknown[] = body;
  const [first] = events as { position?: unknown }[];
  const isClassic = events.length > 0 ? typeof first?.position !== 'number' : headers['event-head'] === undefined;
  return { isClassic, events, head: headOf(headers) };
}
