import { resolve } from 'node:path';
import { z } from 'zod';
import { tokenSettings } from '../http/access.ts';
import { failpoints } from '../observe/failpoints.ts';
import { localUrl } from './parts.ts';

/** Exit code for a setting that is wrong: the runner does not try such a part again (EX_CONFIG of sysexits.h). */
const EXIT_CONFIG = 78;

/**
 * A default for everything on one machine. In production (`NODE_ENV`) there is none: a setting that was forgotten there
 * would not fail, but listen where nobody calls, or keep data where it is lost.
 */
export const localDefault = (schema: z.ZodType<string, string>, fallback: string) =>
  process.env.NODE_ENV === 'production' ? schema : z.string().default(fallback).pipe(schema);

const port = (fallback: number) => z.coerce.number().int().min(1).max(65_535).default(fallback);
export const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// address' });

const names = z
  .string()
  .transform((list) => list.split(',').map((name) => name.trim().toLowerCase()))
  .refine((list) => list.every((name) => /^[\w.-]+$/.test(name)), 'must be names of hosts, separated by commas');

/** The settings that every server has. `HOST` is loopback unless set: nothing is reachable from outside by accident. */
export const serverSettings = (defaultPort: number) => ({
  HOST: localDefault(z.string().min(1), 'localhost'),
  PORT: port(defaultPort),
  /** The names that a server on loopback is called by besides (origins.ts), separated by commas. */
  ALLOWED_HOSTS: names.default([]),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
});

const SAMPLERS = ['always_on', 'always_off', 'traceidratio'] as const;

/** Where spans are sent, and of which traces, by OpenTelemetry's names (SDK Configuration, OTLP Exporter); nowhere unless set. */
export const tracingSettings = {
  OTEL_EXPORTER_OTLP_ENDPOINT: httpUrl.optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: httpUrl.optional(),
  OTEL_TRACES_SAMPLER: z
    .enum([...SAMPLERS, ...SAMPLERS.map((name) => `parentbased_${name}` as const)])
    .default('parentbased_always_on'),
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1),
};
export type TracingSettings = z.output<z.ZodObject<typeof tracingSettings>>;

/**
 * The name of the pod (`query-0`), from Kubernetes. Each pod of a StatefulSet has a database of its own, but the bus delivers to
 * one of them: a second pod would answer requests and never get an event. So a second pod does not start.
 */
const podName = z
  .string()
  .refine((name) => !/-[1-9]\d*$/.test(name), {
    error: ({ input }) => {
      const part = String(input).replace(/-\d+$/, '');
      return `${input} is a second copy of ${part}, whose database would miss what the first one has. Run one: kubectl -n blog scale statefulset/${part} --replicas=1 (docs/kubernetes.md, "StatefulSet, and never two")`;
    },
  })
  .optional();

/** What the five servers have besides: `DATA_DIR` is the folder of the database file; `FAILPOINT` is read where it is met. */
export const databaseSettings = {
  POD_NAME: podName,
  FAILPOINT: z.enum(failpoints).optional(),
  DATA_DIR: localDefault(z.string().min(1, 'must be given'), resolve(import.meta.dirname, '../../../.data')),
  ...tracingSettings,
};

/** Where the bus is. */
export const busUrlSettings = { EVENT_BUS_URL: localDefault(httpUrl, localUrl('event-bus')) };

/** What the four services have besides: where the bus is, and the token between them. */
export const busSettings = { ...busUrlSettings, ...tokenSettings };

/** `name=url,name=url` → a list; names are unique. */
export const subscriptionList = z.string().transform((text, context) => {
  const list = text.split(',').map((entry) => {
    const at = entry.indexOf('=');
    return { name: entry.slice(0, at).trim(), url: entry.slice(at + 1).trim() };
  });
  const valid = list.every(({ name, url }) => /^[\w.-]{1,50}$/.test(name) && httpUrl.safeParse(url).success);
  if (valid && new Set(list.map(({ name }) => name)).size === list.length) return list;
  context.addIssue({ code: 'custom', message: 'must be name=url,name=url with names that differ and http addresses' });
  return z.NEVER;
});

/**
 * Parses the environment once, at the start of a process. A setting that is wrong is named on stderr and ends the
 * process with exit code 78. An empty variable counts as not set; but an empty `DATA_DIR` is refused, since what is
 * stored would be kept where nobody looks for it.
 */
export function parseConfig<S extends z.ZodType>(schema: S, env: NodeJS.ProcessEnv = process.env): z.output<S> {
  const set = Object.fromEntries(Object.entries(env).filter(([name, value]) => value !== '' || name === 'DATA_DIR'));
  const result = schema.safeParse(set);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    const name = issue.path.join('.');
    process.stderr.write(`Invalid setting ${name}: ${name in set ? issue.message : 'must be given'}\n`);
  }
  process.exit(EXIT_CONFIG);
}
