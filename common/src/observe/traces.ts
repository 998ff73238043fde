import type { IncomingMessage } from 'node:http';
import type { TracingSettings } from '../run/config.ts';
import type { Log } from './log.ts';

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

/** The trace that a place is in. */
export const traceIdOf = (traceparent: string | undefined): string | undefined => traceparent?.slice(3, 35);

export type Attributes = Record<string, string | number | undefined>;
type Outcome = { name?: string; attributes?: Attributes; error?: string };

/** Something that happens in a trace, from when it was started until its end. One that is not ended is never sent. */
export type Span = {
  /** Its own place: what follows from it hangs below it. */
  readonly traceparent: string;
  end(outcome?: Outcome): void;
};

type SpanOptions = {
  kind: 'server' | 'producer' | 'consumer';
  /** The place that it hangs below; without one it begins a trace. */
  parent?: string;
  /** Other places that it has to do with. */
  links?: (string | undefined)[];
  attributes?: Attributes;
  /** When it began, by `performance.now()`; now unless given. */
  began?: number;
};

type Tracing = {
  start?: (name: string, options: SpanOptions) => Span;
  /** Sends what has not been sent, for at most so many milliseconds. */
  end?: (within: number) => Promise<void>;
};

/** Empty unless OpenTelemetry is switched on, so that `tracing.start?.(…)` costs nothing: not even its arguments. */
export const tracing: Tracing = {};

/** Switches OpenTelemetry on, if there is an address to send spans to; only then it is loaded. */
export async function startTracing(service: string, settings: TracingSettings, log: Log): Promise<void> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: traces } = settings;
  // OpenTelemetry Protocol Exporter, "Endpoint URLs for OTLP/HTTP": only the general one has the path appended.
  const url = traces ?? (base && `${base.replace(/\/$/, '')}/v1/traces`);
  if (!url) return;
  const { openTelemetry } = await import('./otel.ts');
  Object.assign(tracing, openTelemetry(service, url, settings, log));
}
