// OpenTelemetry's SDK, behind what tracing.ts asks for. Loaded only where it is switched on.
import { ROOT_CONTEXT, type SpanContext, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import release from '../../package.json' with { type: 'json' };
import { reason } from '../core/exchange.ts';
import type { TracingSettings } from '../run/config.ts';
import type { Log } from './log.ts';
import type { tracing } from './traces.ts';

const KINDS = { server: SpanKind.SERVER, producer: SpanKind.PRODUCER, consumer: SpanKind.CONSUMER };

/** How long spans are gathered, in milliseconds. */
const GATHERED = 1_000;
/** How many requests with spans may be under way at the most, if one of them never ends. */
const UNDER_WAY = 4;
/** How long sending has to have failed before it is said that it works again, in milliseconds: not with every answer. */
const STEADY = 5_000;

/**
 * Sends spans to the address by OTLP (HTTP, JSON), beside everything else: at most 2,048 wait, what comes then is dropped,
 * and so is what could not be sent. How long an answer may take, and more, the exporter reads from its own variables.
 */
export function openTelemetry(service: string, url: string, settings: TracingSettings, log: Log): typeof tracing {
  const exporter = new OTLPTraceExporter({ url, concurrencyLimit: UNDER_WAY });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': service,
      'service.namespace': 'blog',
      'service.version': release.version,
    }),
    sampler: createSampler(settings),
    spanProcessors: [new BatchSpanProcessor({ exporter: watched(exporter, log), scheduledDelayMillis: GATHERED })],
  });
  const tracer = provider.getTracer('blog', release.version);

  return {
    start(name, { kind, parent, links = [], attributes, began }) {
      const context = parent ? trace.setSpanContext(ROOT_CONTEXT, placeOf(parent)) : ROOT_CONTEXT;
      const linked = links.filter((link) => link !== undefined).map((link) => ({ context: placeOf(link) }));
      const options = { kind: KINDS[kind], attributes, links: linked, startTime: began };
      const span = tracer.startSpan(name, options, context);
      const { traceId, spanId, traceFlags } = span.spanContext();
      return {
        traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
        end({ name, attributes, error } = {}) {
          if (!span.isRecording()) return;
          if (name) span.updateName(name);
          if (attributes) span.setAttributes(attributes);
          if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error });
          span.end(performance.now());
        },
      };
    },

    async end(within) {
      const sent = provider.shutdown().catch(() => {}); // it has been told
      await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, within))]);
    },
  };
}

/** `OTEL_TRACES_SAMPLER` and its argument: the SDK does not read them itself. */
function createSampler({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: ratio }: TracingSettings): Sampler {
  const root = name.endsWith('always_on')
    ? new AlwaysOnSampler()
    : name.endsWith('always_off')
      ? new AlwaysOffSampler()
      : new TraceIdRatioBasedSampler(ratio);
  return name.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}

const placeOf = (traceparent: string): SpanContext => ({
  traceId: traceparent.slice(3, 35),
  spanId: traceparent.slice(36, 52),
  traceFlags: Number.parseInt(traceparent.slice(53), 16),
  isRemote: true,
});

/** Says when sending begins to fail, and when it works again; nothing in between. */
function watched(exporter: OTLPTraceExporter, log: Log): SpanExporter {
  let failingSince: number | undefined;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const now = performance.now();
        const failed = result.error !== undefined;
        if (failed && failingSince === undefined) {
          log.warn({ reason: reason(result.error) }, 'spans cannot be sent for now, and are lost');
          failingSince = now;
        } else if (!failed && failingSince !== undefined && now - failingSince > STEADY) {
          log.info('spans are sent again');
          failingSince = undefined;
        }
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
  };
}
