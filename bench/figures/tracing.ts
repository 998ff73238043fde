// The cost of tracing: the load of `writes`, with OpenTelemetry off and on.
import { get } from '../../e2e/lib/http.ts';
import { type Figure, type Run, ratio, type Values } from '../figure.ts';
import { startServer } from '../processes.ts';
import { measureOurs } from './writes.ts';

const SETTINGS: Record<string, NodeJS.ProcessEnv> = {
  tenth: { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' },
  all: { OTEL_TRACES_SAMPLER: 'parentbased_always_on' },
};

async function measure({ side, directory, quick }: Run): Promise<Values> {
  const settings = SETTINGS[side];
  if (!settings) return pick(await measureOurs(directory, quick));
  const receiver = await startServer('bench/receiver.ts');
  const values = await measureOurs(directory, quick, { ...settings, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
  return { ...pick(values), spans: (await get(receiver.url)).body.spans };
}

const pick = ({ missing, write, ...values }: Values): Values => values;

export const tracing: Figure = {
  name: 'tracing',
  title: 'the load of `writes`: without OpenTelemetry, with one trace in ten and with all of them',
  sides: ['off', 'tenth', 'all'],
  units: {
    rate: 'acknowledged/s',
    p50: 'ms',
    p99: 'ms',
    comment: 'µs of processor time',
    memory: 'MB at most, all five',
    behind: 's from the last answer to the last verdict',
    spans: 'received, of warming up too; what was too much is dropped',
    acknowledged: 'writes',
    refused: 'writes not answered 201',
    load: 'µs of the load generator a request',
  },
  measure,
  goals: [
    {
      text: 'processor time of a comment, one trace in ten by none',
      of: ({ off, tenth }) => ratio(tenth?.comment, off?.comment),
      atMost: 1.25,
    },
  ],
};
