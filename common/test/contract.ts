// Reads a part's openapi.yaml, and checks answers against it.
import { readFileSync } from 'node:fs';
import { Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { parse } from 'yaml';
import type { Json } from './fake-bus.ts';

const root = join(import.meta.dirname, '../..');
/** The contract of the events, and of their handlers. */
export const asyncapi: Json = parse(readFileSync(join(root, 'event-bus/asyncapi.yaml'), 'utf8'));
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
/** Headers of the protocol, which may appear only where they are documented. */
const PROTOCOL = ['location', 'link', 'retry-after', 'stream-position', 'event-head'];

export type Sent = { method: string; path: string; headers?: OutgoingHttpHeaders; body?: string | Buffer };
export type Received = { status: number; headers: IncomingHttpHeaders; body: string };
export type Operation = {
  method: string;
  path: string;
  parameters: Json[];
  requestBody: Json;
  responses: Json;
  security?: Json;
};

export const ajv = new Ajv2020({
  strict: true,
  strictRequired: false,
  strictTypes: false,
  allowUnionTypes: true,
  coerceTypes: false,
});
formats.default(ajv);

/** The schema, with objects that allow only the members it names. */
function closed(schema: Json): Json {
  if (typeof schema !== 'object' || schema === null) return schema;
  if (Array.isArray(schema)) return schema.map(closed);
  const names = schema.properties && !('additionalProperties' in schema);
  const members = Object.entries(schema).map(([key, value]) => [key, key === 'allOf' ? value : closed(value)]);
  return { ...Object.fromEntries(members), ...(names ? { unevaluatedProperties: false } : {}) };
}

export class Contract {
  readonly text: string;
  readonly operations: Operation[];
  readonly errors: unknown;
  readonly #schemas: Record<string, object>;
  readonly #checks = new Map<object, ValidateFunction>();
  readonly #given = new Set<string>();

  private constructor(text: string, errors: unknown, document: Json) {
    this.text = text;
    this.errors = errors;
    this.#schemas = document.components.schemas;
    this.operations = Object.entries<Json>(document.paths).flatMap(([path, item]) =>
      METHODS.filter((method) => method.toLowerCase() in item).map((method) => {
        const { parameters = [], requestBody, responses, security } = item[method.toLowerCase()];
        return {
          method,
          path,
          parameters: [...(item.parameters ?? []), ...parameters],
          requestBody,
          responses,
          security,
        };
      }),
    );
  }

  static async of(part: string): Promise<Contract> {
    const text = readFileSync(join(root, part, 'openapi.yaml'), 'utf8');
    const validator = new Validator();
    const { errors } = await validator.validate(parse(text));
    return new Contract(text, errors, validator.resolveRefs());
  }

  /** The documented answers that have not been seen yet. */
  get missing(): string[] {
    return this.operations.flatMap(({ method, path, responses }) =>
      Object.keys(responses)
        .map((status) => `${status} ${method} ${path}`)
        .filter((answer) => !this.#given.has(answer)),
    );
  }

  /** The deviations of an answer, in short sentences. */
  violations(sent: Sent, { status, headers, body }: Received): string[] {
    const [pathname = ''] = sent.path.split('?');
    const exact = this.operations.filter(({ path }) => path === pathname);
    const there = exact.length > 0 ? exact : this.operations.filter(({ path }) => matches(path, pathname));
    const operation = there.find(({ method }) => method === sent.method);
    const responses = operation?.responses ?? { [there.length > 0 ? 405 : 404]: this.#problem };
    const response = responses[status];
    if (!response) return [`${status} is not documented`];
    if (operation) this.#given.add(`${status} ${operation.method} ${operation.path}`);
    const allowed = there.map(({ method }) => method).join(', ');
    return [
      ...(status === 405 && headers.allow !== allowed ? [`Allow is ${headers.allow}, not ${allowed}`] : []),
      ...this.#wrongHeaders(response.headers ?? {}, headers),
      ...this.#wrongBody(response.content, headers['content-type'], body),
    ];
  }

  /** The deviations of a value from a schema of the document. */
  differences(schema: string, value: unknown): string[] {
    const check = this.#check(this.#schemas[schema] ?? {});
    return check(value) ? [] : [`${JSON.stringify(value)}: ${reasons(check)}`];
  }

  get #problem(): Json {
    return this.operations
      .flatMap(({ responses }) => Object.values<Json>(responses))
      .find(({ content, headers }) => content?.['application/problem+json'] && !headers);
  }

  #wrongHeaders(documented: Json, headers: IncomingHttpHeaders): string[] {
    const lower = Object.fromEntries(
      Object.entries<Json>(documented).map(([name, header]) => [name.toLowerCase(), header]),
    );
    const undocumented = PROTOCOL.filter((name) => name in headers && !(name in lower));
    const wrong = Object.entries(lower).filter(([name, { required, schema }]) => {
      const value = headers[name];
      if (value === undefined) return required;
      return !this.#check(schema)(schema.type === 'integer' ? Number(value) : value);
    });
    return [
      ...undocumented.map((name) => `the header ${name} is not documented`),
      ...wrong.map(([name]) => `the header ${name} is ${headers[name]}`),
    ];
  }

  #wrongBody(content: Json, type = '', body: string): string[] {
    const [media = ''] = type.split(';');
    if (!content) return body === '' ? [] : ['there is a body'];
    const schema = content[media]?.schema;
    if (!schema) return [`the media type ${media} is not documented`];
    const check = this.#check(schema);
    return check(/json$/.test(media) ? JSON.parse(body) : body) ? [] : [`${body.slice(0, 300)}: ${reasons(check)}`];
  }

  #check(schema: object): ValidateFunction {
    const check = this.#checks.get(schema) ?? ajv.compile(closed(schema));
    this.#checks.set(schema, check);
    return check;
  }
}

/**
 * The errors of the last check, with the property concerned: for an undocumented property, Ajv's message does not name
 * it.
 */
export const reasons = ({ errors }: Pick<ValidateFunction, 'errors'>): string =>
  (errors ?? [])
    .map(({ instancePath, message, params }) => {
      const { unevaluatedProperty, additionalProperty, allowedValues, allowedValue } = params;
      const named = [unevaluatedProperty ?? additionalProperty, allowedValues, allowedValue].filter(
        (it) => it !== undefined,
      );
      return [instancePath || 'the whole', message, ...named.map((it) => JSON.stringify(it))].join(' ');
    })
    .join(', ');

const matches = (template: string, pathname: string) =>
  new RegExp(`^${template.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}/?$`).test(pathname);

const agent = new Agent({ keepAlive: true });

/** Sends one request unchanged; of a stream only the head is read. */
export async function send(url: string, { method, path, headers, body }: Sent): Promise<Received> {
  const { promise, resolve, reject } = Promise.withResolvers<Received>();
  // Node sets Content-Length only for methods that usually have a body.
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
  const sent = request(url, { method, path, headers: { ...headers, ...length }, agent }, async (answer) => {
    const { statusCode: status = 0, headers } = answer;
    if (headers['content-type']?.startsWith('text/event-stream')) {
      answer.destroy();
      return resolve({ status, headers, body: '' });
    }
    text(answer).then((body) => resolve({ status, headers, body }), reject);
  });
  sent.on('error', reject);
  sent.end(body);
  return promise;
}
