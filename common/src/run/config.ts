// Settings: environment variables, parsed once at the start, each refused by its name.
import { resolve } from 'node:path';
import { z } from 'zod';
import { LOOPBACK, type Origins } from '../http/access.ts';
import { localUrl } from './parts.ts';

/**
 * A default for everything on one machine. In production there is none: a part whose setting was forgotten would not fail, but
 * listen at an address that nothing calls, or keep data where it is lost.
 */
export const localDefault = (schema: z.ZodType<string, string>, fallback: string) =>
  process.env.NODE_ENV === 'production' ? schema : z.string().default(fallback).pipe(schema);

export const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// address' });

const splitList = (list: string) => list.split(',').map((entry) => entry.trim());

const hostNames = z
  .string()
  .transform((list) => splitList(list.toLowerCase()))
  .refine((list) => list.every((name) => /^[\w.-]+$/.test(name)), 'must be names of hosts, separated by commas');

/** The settings of every process that listens: on loopback unless set, so that nothing is reachable from outside by accident. */
export const serverSettings = (defaultPort: number) => ({
  HOST: localDefault(z.string().min(1), 'localhost'),
  PORT: z.coerce.number().int().min(1).max(65_535).default(defaultPort),
  /** More names by which a server on loopback is called (http/access.ts), separated by commas. */
  ALLOWED_HOSTS: hostNames.default([]),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
});

/** The name of this copy of a part (`posts-1`), by which the bus knows it. Alone it is called like the part. */
export const copyName = z.string().regex(/^[\w.-]{1,50}$/, 'must be 1 to 50 letters, digits, dots or hyphens');

const SAMPLER = /^(parentbased_)?(always_on|always_off|traceidratio)$/;

/** The settings of the five servers besides. `DATA_DIR` is the folder of the database file. */
export const databaseSettings = {
  DATA_DIR: localDefault(z.string().min(1, 'must be given'), resolve(import.meta.dirname, '../../../.data')),
  /** The token that the services and the bus know each other by. Without it any caller may publish and deliver. */
  BUS_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]{16,256}$/, 'must be 16 to 256 visible ASCII characters')
    .optional(),
  // The address that spans are sent to, and the sampler, by OpenTelemetry's names (SDK Configuration, OTLP Exporter).
  OTEL_EXPORTER_OTLP_ENDPOINT: httpUrl.optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: httpUrl.optional(),
  OTEL_TRACES_SAMPLER: z.string().regex(SAMPLER, `must match ${SAMPLER}`).default('parentbased_always_on'),
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1),
};

/** `log`: a request that creates something is answered once the bus has its event. */
export const ownerSettings = { ANSWER_AFTER: z.enum(['commit', 'log']).default('commit') };

export const busSettings = { EVENT_BUS_URL: localDefault(httpUrl, localUrl('event-bus')) };

/** The address of auth. With it a request that creates something needs a token of auth; without it there is no sign-in. */
export const identitySettings = { AUTH_URL: httpUrl.optional() };

const isOrigin = (text: string) => text === '*' || (URL.canParse(text) && new URL(text).origin === text);

/** The origins of pages that may call from a browser, separated by commas, or `*`; loopback unless set. */
export const corsSettings = {
  CORS_ORIGINS: z
    .string()
    .transform(splitList)
    .refine((list) => list.every(isOrigin), 'must be origins like https://blog.example, separated by commas, or *')
    .transform((list): Origins => (list.includes('*') ? '*' : list))
    .default(LOOPBACK),
};

/**
 * Parses the environment. A setting that is wrong ends the process with one line for each. An empty variable counts as not set,
 * as a shell or a manifest may leave it; only an empty `DATA_DIR` is refused, because a default would hide the data.
 */
export function parseConfig<S extends z.ZodType>(schema: S): z.output<S> {
  const set = Object.fromEntries(Object.entries(process.env).filter(([name, value]) => value || name === 'DATA_DIR'));
  const result = schema.safeParse(set);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    const name = issue.path.join('.');
    process.stderr.write(`Invalid setting ${name}: ${name in set ? issue.message : 'must be given'}\n`);
  }
  process.exit(78); // EX_CONFIG of sysexits.h: the runner does not start such a part again
}
