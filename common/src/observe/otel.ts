// OpenTelemetry's SDK, loaded only where it is switched on (run/service.ts).
import { setTimeout as delay } from 'node:timers/promises';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import release from '../../package.json' with { type: 'json' };
import { reason } from '../core/exchange.ts';
import type { Log } from '../core/observer.ts';

/** The time for which spans are batched, in milliseconds. */
const BATCHED = 1_000;
/** The maximum of requests with spans under way, if one of them never ends. */
const UNDER_WAY = 4;
/** The time for which sending has to have failed before its recovery is logged, in milliseconds: not with every answer. */
const STEADY = 5_000;

type Settings = { COPY_NAME: string; OTEL_TRACES_SAMPLER: string; OTEL_TRACES_SAMPLER_ARG: number };

/**
 * Sends spans by OTLP (HTTP, JSON), beside everything else: at most 2,048 wait, any others are dropped, and so are those that
 * could not be sent. The exporter reads the address, its timeout and more from its own variables.
 */
export function createTracing(service: string, settings: Settings, log: Log) {
  const exporter = watched(new OTLPTraceExporter({ concurrencyLimit: UNDER_WAY }), log);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': service,
      'service.namespace': 'blog',
      'service.instance.id': settings.COPY_NAME,
      'service.version': release.version,
    }),
    sampler: createSampler(settings),
    spanProcessors: [new BatchSpanProcessor({ exporter, scheduledDelayMillis: BATCHED })],
  });
  return {
    tracer: provider.getTracer('blog', release.version),
    /** Sends the spans that are left, for at most so many milliseconds. */
    async end(within: number): Promise<void> {
      const sent = provider.shutdown().catch(() => {}); // the exporter has logged it
      await Promise.race([sent, delay(within)]);
    },
  };
}

/** `OTEL_TRACES_SAMPLER` and its argument: the SDK does not read them itself. */
function createSampler({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: ratio }: Settings): Sampler {
  const root = new TraceIdRatioBasedSampler(name.endsWith('always_on') ? 1 : name.endsWith('always_off') ? 0 : ratio);
  return name.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}

/** Logs when sending begins to fail, and when it works again; nothing in between. */
function watched(exporter: SpanExporter, log: Log): SpanExporter {
  let failingSince: number | undefined;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const now = performance.now();
        if (result.error && failingSince === undefined) {
          log.warn({ reason: reason(result.error) }, 'spans cannot be sent for now, and are lost');
          failingSince = now;
        } else if (!result.error && failingSince !== undefined && now - failingSince > STEADY) {
          log.info({}, 'spans are sent again');
          failingSince = undefined;
        }
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
  };
}
