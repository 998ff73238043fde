/** @jest-environment node */
// The client's types equal the schemas of the contracts, as compared by TypeScript itself. The gateway's routes are in the
// contracts.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SERVERS } from '@blog/common/run/parts.ts';
import { beforeAll, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import type { Json } from '../../common/test/fake-bus.ts';
import { findRoute, ROUTES } from '../server/routes.ts';

const client = join(import.meta.dirname, '..');
const documents: Json = Object.fromEntries(
  SERVERS.map((part) => [part, parse(readFileSync(join(client, '..', part, 'openapi.yaml'), 'utf8'))]),
);
/** A piece of a document, or the one that it refers to. */
function found(piece: Json, document: Json): Json {
  if (!piece.$ref) return piece;
  return piece.$ref.split('/').reduce((node: Json, key: string) => (key === '#' ? node : node[key]), document);
}
const tsc = join(client, '../node_modules/typescript/bin/tsc');

/** A type of the client, as an import, and the schema that it corresponds to. */
type Pair = [type: string, part: string, schema: string];
const PAIRS: Pair[] = [
  ["import('page/blog/types').Post", 'query', 'Post'],
  ["import('page/blog/types').Comment", 'query', 'Comment'],
  ["import('page/blog/types').Message", 'query', 'Change'],
  ["Awaited<ReturnType<typeof import('page/blog/requests').publish>>", 'posts', 'Post'],
  ["Awaited<ReturnType<typeof import('page/blog/requests').publish>>", 'comments', 'Comment'],
  ["import('page/system/bus').Subscription", 'event-bus', 'Subscription'],
  ["import('page/system/bus').LogEntry", 'event-bus', 'Entry'],
  ["import('page/system/bus').RecordedEvent", 'event-bus', 'RecordedEvent'],
  ["import('page/system/bus').Arrival", 'event-bus', 'Arrival'],
  ["import('page/system/bus').DeadLetter", 'event-bus', 'DeadLetter'],
];

/** The type with all fields required. */
const WHOLE = 'type Whole<T> = T extends object ? { [K in keyof T]-?: Whole<Exclude<T[K], undefined>> } : T;';

/** A schema in TypeScript. */
function typeOf(schema: Json, document: Json): string {
  const type = (one: Json): string => typeOf(found(one, document), document);
  if ('const' in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value: Json) => JSON.stringify(value)).join(' | ');
  if (schema.type === 'array') return `(${type(schema.items)})[]`;
  const { properties, required } = fieldsOf(schema, document);
  const fields = Object.entries<Json>(properties).map(
    ([name, field]) => `${name}${required.includes(name) ? '' : '?'}: ${type(field)};`,
  );
  const names: Json = { integer: 'number', object: `{ ${fields.join(' ')} }` };
  const types = schema.allOf ? ['object'] : [schema.type ?? 'unknown'].flat();
  return types.map((name) => names[name] ?? name).join(' | ');
}

/** The fields of an object, including those of the schemas it extends. */
function fieldsOf({ allOf = [], properties = {}, required = [] }: Json, document: Json) {
  const base = allOf.map((one: Json) => fieldsOf(found(one, document), document));
  return {
    properties: Object.assign({}, ...base.map((one: Json) => one.properties), properties),
    required: [...base.flatMap((one: Json) => one.required), ...required],
  };
}

/**
 * TypeScript's errors on comparing each pair, in one run: a documented value that the client's type does not allow, or a field
 * or value of the client's that never comes. Fields that the client does not read may be missing in its type.
 */
function differences(pairs: [type: string, contract: string][]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'types-'));
  const options = { paths: { 'page/*': [join(client, 'src/*.ts')] }, types: [] };
  try {
    for (const [i, [type, contract]] of pairs.entries()) {
      const text = `${WHOLE}
      type Client = ${type};
      type Contract = ${contract};
      export const comes = (value: Contract): Client => value;
      export const known = (field: keyof Client): keyof Contract => field;
      export const possible = (value: Whole<Client>): Partial<Contract> => value;`;
      writeFileSync(join(folder, `pair-${i}.ts`), text);
    }
    const config = { extends: join(client, 'tsconfig.json'), include: ['*.ts'], compilerOptions: options };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const { stdout } = spawnSync(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], { encoding: 'utf8' });
    // A message goes on in indented lines.
    const messages = stdout.split(/\n(?=\S)/).filter((message) => message.trim() !== '');
    return pairs.map((_, i) => messages.filter((message) => message.includes(`pair-${i}.ts(`)).join('\n'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const contractOf = (part: string, schema: string, change = (_: Json) => {}): string => {
  const document = structuredClone(documents[part]);
  change(document.components.schemas[schema]);
  return typeOf(document.components.schemas[schema], document);
};

const Subscription = "import('page/system/bus').Subscription";
const WRONG: [what: string, type: string, change: (schema: Json) => void, message: RegExp][] = [
  ['a field that is documented no more', Subscription, ({ properties }) => delete properties.lag, /'lag' is missing/],
  [
    'one that may be missing',
    Subscription,
    ({ required }) => required.splice(required.indexOf('lag'), 1),
    /'number . undefined' is not/,
  ],
  [
    'another type',
    Subscription,
    ({ properties }) => Object.assign(properties.lag, { type: 'string' }),
    /'lag' are inc/,
  ],
  [
    'null where none was',
    Subscription,
    ({ properties }) => Object.assign(properties.name, { type: ['string', 'null'] }),
    /'name' are inc/,
  ],
  ['a new value', Subscription, ({ properties }) => properties.state.enum.push('idle'), /"idle"/],
  ['a value that never comes', Subscription, ({ properties }) => properties.state.enum.pop(), /"diverged"/],
  ['a field of the client that never comes', `${Subscription} & { colour?: string }`, () => {}, /"colour"/],
];

let errors: string[];
beforeAll(() => {
  errors = differences([
    ...PAIRS.map(([type, part, schema]): [string, string] => [type, contractOf(part, schema)]),
    ...WRONG.map(([, type, change]): [string, string] => [type, contractOf('event-bus', 'Subscription', change)]),
  ]);
});

test("the client's types are what the contracts say", () => {
  expect(errors.slice(0, PAIRS.length)).toEqual(PAIRS.map(() => ''));
});

test.each(WRONG.map(([what, , , message], i) => [what, message, i] as const))(
  'a difference is noticed: %s',
  (_what, message, i) => {
    expect(errors[PAIRS.length + i]).toMatch(message);
  },
);

/** The addresses of a pattern: its choices spelled out, and 1 for what may be anything. */
function addressesOf(pattern: string): string[] {
  const [group, choices, optional] = /\((?:\?:)?([^()]*)\)(\?)?/.exec(pattern) ?? [];
  if (group === undefined || choices === undefined) return [pattern];
  return [...(optional ? [''] : []), ...choices.split('|')].flatMap((one) => addressesOf(pattern.replace(group, one)));
}

test('every route of the gateway leads to an operation that is documented', () => {
  const ofParts = ROUTES.filter(({ part }) => part !== 'client');
  const requests = ofParts.flatMap(({ methods, path }) => {
    const pattern = path.source
      .slice(1, -1)
      .replaceAll('\\/', '/')
      .replace(/\(\[.*?\]\+\)/g, '1');
    return addressesOf(pattern).flatMap((address) => methods.map((method) => [method, address] as const));
  });
  expect(requests.length).toBeGreaterThan(2 * ofParts.length);
  const isDocumented = ([method, address]: readonly [string, string]) => {
    const { part, to = '' } = findRoute(method, address, true);
    if (!part || part === 'client') return false;
    return Object.entries<Json>(documents[part].paths).some(
      ([path, operations]) =>
        method.replace('HEAD', 'GET').toLowerCase() in operations &&
        new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`).test(to),
    );
  };
  expect(requests.filter((request) => !isDocumented(request))).toEqual([]);
});
