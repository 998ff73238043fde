import type { IncomingMessage } from 'node:http';

/** Version, trace id, parent id, flags, and what a later version may have behind them (W3C Trace Context §3.2.2). */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(-.*)?$/;

/** The place in a trace that a text names, in the form of version 00; undefined if it names none, and then it is ignored. */
export function parseTraceparent(text: unknown): string | undefined {
  const [, version, place, more] = (typeof text === 'string' && TRACEPARENT.exec(text)) || [];
  return place && !(version === '00' && more !== undefined) ? `00-${place}` : undefined;
}

/** The place in a trace that a request comes from: what it makes hangs below it. */
export const traceparentOf = ({ headers }: IncomingMessage): string | undefined =>
  parseTraceparent(headers.traceparent);
