// Traces: where spans are sent, and of which traces.
import { z } from 'zod';
import type { Log } from '../core/observer.ts';
import type { Tracing } from './otel.ts';

/** The trace that a span is in. */
export const traceIdOf = (traceparent: string | undefined): string | undefined => traceparent?.slice(3, 35);

const SAMPLERS = ['always_on', 'always_off', 'traceidratio'] as const;
const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// address' });

/** By OpenTelemetry's names (SDK Configuration, OTLP Exporter). */
export const tracingSettings = {
  OTEL_EXPORTER_OTLP_ENDPOINT: httpUrl.optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: httpUrl.optional(),
  OTEL_TRACES_SAMPLER: z
    .enum([...SAMPLERS, ...SAMPLERS.map((name) => `parentbased_${name}` as const)])
    .default('parentbased_always_on'),
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1),
};
type Settings = z.output<z.ZodObject<typeof tracingSettings>>;

/** Starts OpenTelemetry if there is an address to send spans to; only then its SDK is loaded. */
export async function startTracing(service: string, settings: Settings, log: Log): Promise<Tracing | undefined> {
  if (!settings.OTEL_EXPORTER_OTLP_ENDPOINT && !settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) return undefined;
  const { createSampler, createTracing } = await import('./otel.ts');
  const sampler = createSampler(settings.OTEL_TRACES_SAMPLER, settings.OTEL_TRACES_SAMPLER_ARG);
  return createTracing(service, sampler, log);
}
