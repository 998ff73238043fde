// The contracts, read, and in the words that docs/api.md has for them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SERVERS, type Server } from '@blog/common/run/parts.ts';
import { parse } from 'yaml';
import { root } from './parts.ts';

// biome-ignore lint/suspicious/noExplicitAny: documents of many shapes; their own tests say that they are valid
export type Json = any;

const read = (file: string): Json => parse(readFileSync(join(root, file), 'utf8'));
export const documents = Object.fromEntries(SERVERS.map((part) => [part, read(`${part}/openapi.yaml`)]));
export const asyncapi = read('event-bus/asyncapi.yaml');

const lookUp = (document: Json, pointer: string): Json =>
  pointer.split('/').reduce((node, key) => (key === '#' ? node : node[key]), document);

/** A piece of a document, or what it refers to. */
export const found = (node: Json, document: Json): Json => (node?.$ref ? lookUp(document, node.$ref) : node);

/** All that a piece of a document says, so that those of two parts can be compared. Examples make no difference. */
export const whole = (piece: Json, document: Json): string =>
  JSON.stringify(piece, (key, value) => (key === 'example' ? undefined : found(value, document)));

/** A component's name; with its part, if another part has something else of this name. */
export function titleOf(kind: 'schemas' | 'responses', name: string, part: Server): string {
  const texts = SERVERS.map((one) => [documents[one].components[kind][name], documents[one]] as const)
    .filter(([component]) => component)
    .map(([component, document]) => whole(component, document));
  return new Set(texts).size === 1 ? name : `${name} of ${part}`;
}

const nameOf = ({ $ref }: Json): string => $ref.split('/').at(-1);
export const titleOfRef = (kind: 'schemas' | 'responses', ref: Json, part: Server) => titleOf(kind, nameOf(ref), part);

/** The link to a heading, as GitHub makes its address. */
export const link = (heading: string) =>
  `[${heading}](#${heading
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-')})`;

/** What a value may be. `linkTo` is how another schema is named. */
export function typeOf(schema: Json, linkTo: (ref: Json) => string): string {
  const type = (one: Json) => typeOf(one, linkTo);
  const or = (types: string[]) => types.join(' or ');
  if (schema.$ref) return linkTo(schema);
  if ('const' in schema) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum) return or(schema.enum.map((value: Json) => `\`${JSON.stringify(value)}\``));
  if (schema.anyOf) return or(schema.anyOf.map(type));
  if (schema.oneOf && !schema.properties) return or(schema.oneOf.map(type));
  const types = [schema.type ?? []].flat();
  const { properties, additionalProperties, allOf = [], items } = schema;
  const fields = properties && fieldsOf(schema, linkTo).map(([name, is]) => `${name}: ${is}`);
  const own = items
    ? [`list of ${type(items)}`]
    : additionalProperties
      ? [`object of ${type(additionalProperties)}, each under its id`]
      : fields
        ? [`{ ${fields.join(', ')} }`]
        : types.length > 0
          ? [or(types.filter((name) => name !== 'null'))]
          : [];
  const text = [...allOf.map(type), ...own].join(' with ') || 'anything';
  return [text, ...limitsOf(schema)].join(', ') + (types.includes('null') ? ' or null' : '');
}

function limitsOf(schema: Json): string[] {
  const { minimum, maximum, minLength, maxLength, minItems, maxItems, format, pattern } = schema;
  const range = (what: string, least?: number, most?: number) => {
    if (most === undefined)
      return least === undefined ? [] : [what && least === 1 ? 'not empty' : `at least ${least}${what}`];
    return [least === undefined ? `at most ${most}${what}` : `${least} to ${most}${what}`];
  };
  return [
    ...range('', minimum, maximum),
    ...range(' characters', minLength, maxLength),
    ...range(' of them', minItems, maxItems),
    ...(format ? [format] : []),
    ...(pattern ? [`matching \`${pattern}\``] : []),
    ...('default' in schema ? [`${schema.default} if not given`] : []),
  ];
}

/** Name (`?` behind one that may be missing), type and description of each field. */
export const fieldsOf = ({ properties = {}, required = [] }: Json, linkTo: (ref: Json) => string): string[][] =>
  Object.entries<Json>(properties).map(([name, schema]) => [
    `\`${name}\`${required.includes(name) ? '' : '?'}`,
    typeOf(schema, linkTo),
    schema.description ?? '',
  ]);

// ---- Markdown

/** Paragraphs; what is missing is left out. */
export const lines = (...texts: (string | undefined | false)[]) =>
  texts
    .map((text) => (text || '').trim())
    .map((text) => text && `${text}\n\n`)
    .join('');
const cell = (text: string) => text.trim().replaceAll('|', '\\|').replaceAll('\n', ' ');
/** A table, without the columns that have neither a head nor a cell; nothing if it has no rows. */
export function table(head: string[], rows: string[][]): string | undefined {
  if (rows.length === 0) return undefined;
  const columns = head.flatMap((title, i) => (title || rows.some((row) => row[i]) ? [i] : []));
  const line = (cells: string[]) => `| ${columns.map((i) => cell(cells[i] ?? '')).join(' | ')} |`;
  return [head, head.map(() => '---'), ...rows].map(line).join('\n');
}
export const json = (value: Json) => {
  const short = JSON.stringify(value);
  return `\`\`\`json\n${short.length < 100 ? short : JSON.stringify(value, null, 2)}\n\`\`\``;
};
export const sentence = (text: string) => (/[.:]$/.test(text.trim()) ? text.trim() : `${text.trim()}.`);
