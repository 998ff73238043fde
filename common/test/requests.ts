// Generates valid and invalid requests from an openapi.yaml.
import fc from 'fast-check';
import { ajv, type Operation, type Sent } from './contract.ts';
import type { Json } from './fake-bus.ts';

/** Values for parameters or fields of this name, instead of any value that the schema allows. */
export type Known = Record<string, fc.Arbitrary<unknown>>;

/** A value, and its defect if it has one. */
type Piece = { value?: Json; wrong?: string };

const ok = (values: fc.Arbitrary<unknown>) => values.map((value): Piece => ({ value }));
const wrong = (what: string, values: fc.Arbitrary<unknown>) => values.map((value): Piece => ({ value, wrong: what }));
const absent = fc.constant<Piece>({});

/** The token that the part was started with. */
export const TOKEN = 'a-token-of-this-test';
const AUTHORIZATION = {
  name: 'authorization',
  in: 'header',
  required: true,
  schema: { type: 'string', pattern: `^Bearer ${TOKEN}$` },
};

/** Characters of every kind, above all troublesome ones: all planes, no letters, no width, syntax. */
export const unit = fc.constantFrom(...'aZ7 \0\t\n"\\/%&#?<.-_~\u00a0é\u200b\u202e\ufeff中🍊\u{10ffff}');

/** Generates any value that a schema allows. */
export function valid(schema: Json, known: Known = {}): fc.Arbitrary<unknown> {
  const { type, minLength = 0, maxLength = 40, minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = schema;
  if ('const' in schema) return fc.constant(schema.const);
  if (schema.format === 'date-time') {
    const [min, max] = [new Date('0001-01-01T00:00:00Z'), new Date('9999-12-31T23:59:59Z')];
    return fc.date({ min, max, noInvalidDate: true }).map((date) => date.toISOString());
  }
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one: Json) => valid(one, known)));
  if (type === 'string') {
    const longest = ['x', '🍊'].map((character) => character.repeat(maxLength));
    const any = fc.oneof(fc.string({ unit, minLength, maxLength }), fc.constantFrom(...longest));
    if (!schema.pattern) return any;
    const matching = fc.stringMatching(new RegExp(schema.pattern, 'u'));
    return fc.oneof(any, matching).filter((text) => ajv.validate(schema, text));
  }
  if (type === 'integer')
    return fc
      .oneof(fc.integer({ min: minimum, max: Math.min(maximum, 20) }), fc.maxSafeNat())
      .filter((n) => n >= minimum && n <= maximum);
  if (type === 'array') return fc.array(valid(schema.items, known), { minLength: schema.minItems, maxLength: 5 });
  if (type === 'object') {
    const fields = Object.entries<Json>(schema.properties).map(([name, field]) => [
      name,
      known[name] ?? valid(field, known),
    ]);
    const objects = fc.record(Object.fromEntries(fields), { requiredKeys: schema.required ?? [] });
    return schema.not ? objects.filter((value) => !ajv.validate(schema.not, value)) : objects;
  }
  return Array.isArray(type) ? fc.oneof(fc.object(), fc.array(fc.jsonValue())) : fc.jsonValue({ maxDepth: 4 });
}

/** Generates JSON that a schema does not allow: another type, or one field missing, replaced or too long. */
function broken(schema: Json, known: Known): fc.Arbitrary<unknown> {
  const changed = fc
    .tuple(valid(schema, known), fc.nat(), fc.constantFrom('lost', 'too long', 'replaced'), fc.jsonValue())
    .map(([value, at, how, other]) => {
      if (typeof value !== 'object' || value === null) return other;
      const names = Object.keys(schema.properties ?? value);
      const name = names[at % names.length] ?? '';
      const tooLong = 'x'.repeat((schema.properties?.[name]?.maxLength ?? 100) + 1);
      return { ...value, [name]: { lost: undefined, 'too long': tooLong, replaced: other }[how] };
    });
  return fc.oneof(fc.jsonValue(), changed).filter((value) => !ajv.validate(schema, JSON.parse(JSON.stringify(value))));
}

/** True if a text arrives unchanged in this place: headers are trimmed, and paths have no empty segments. */
const fits = (place: string, text: string) =>
  place === 'header' ? /^([\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)?$/.test(text) : place !== 'path' || text !== '';

const NO_NUMBERS = ['', 'x', '1.5', '-1', '0x10', '1e1', 'NaN', ' 1', '1 2', '99999999999999999999'];

function parameterPiece({ name, in: place, required, schema }: Json, known: Known): fc.Arbitrary<Piece> {
  const { type, pattern, maxLength = 1_000 } = schema;
  const texts = fc.oneof(fc.string(), fc.string({ unit }), fc.constant('x'.repeat(maxLength + 1)));
  const odd = (
    type === 'integer' ? fc.constantFrom(...NO_NUMBERS) : texts.filter((text) => !ajv.validate(schema, text))
  ).filter((text) => fits(place, text));
  const canBreak = type === 'integer' || pattern || 'maxLength' in schema;
  return fc.oneof(
    { weight: 6, arbitrary: ok((known[name] ?? valid(schema)).map(String).filter((text) => fits(place, text))) },
    { weight: canBreak ? 2 : 0, arbitrary: wrong(`${name} in ${place}`, odd) },
    { weight: required ? 0 : 4, arbitrary: absent },
  );
}

function bodyPiece(requestBody: Json, known: Known): fc.Arbitrary<Piece & { type?: string }> {
  if (!requestBody) return absent;
  const media = Object.entries<Json>(requestBody.content).map(([type, { schema }]) => {
    const texts = (values: fc.Arbitrary<unknown>) => values.map((value) => JSON.stringify(value));
    return fc
      .oneof(
        { weight: 6, arbitrary: ok(texts(valid(schema, known))) },
        { weight: 3, arbitrary: wrong('body', texts(broken(schema, known))) },
        { weight: 1, arbitrary: wrong('body', fc.constantFrom('{', '{"a":}', '\0', '[1,]', '{}{}')) },
      )
      .map((piece) => ({ ...piece, type }));
  });
  const elsewhere = fc.constantFrom(
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/xml',
    'multipart/form-data',
  );
  return fc.oneof(
    { weight: 10, arbitrary: fc.oneof(...media) },
    { weight: 1, arbitrary: elsewhere.map((type) => ({ value: '{}', type, wrong: 'media type' })) },
    { weight: 1, arbitrary: requestBody.required ? fc.constant({ wrong: 'no body' }) : absent },
  );
}

/** Generates a request of this operation; `wrong` names its deviations from the document. */
export function requestOf(operation: Operation, known: Known): fc.Arbitrary<{ sent: Sent; wrong: string[] }> {
  const { method, path, requestBody } = operation;
  const parameters = operation.security?.some((one: Json) => 'busToken' in one)
    ? [...operation.parameters, AUTHORIZATION]
    : operation.parameters;
  const pieces = fc.tuple(...parameters.map((parameter) => parameterPiece(parameter, known)));
  return fc.tuple(pieces, bodyPiece(requestBody, known)).map(([values, body]) => {
    const given = (place: string) =>
      parameters.flatMap((parameter, i): [string, string][] => {
        const value = values[i]?.value;
        return parameter.in === place && value !== undefined ? [[parameter.name, value]] : [];
      });
    const query = new URLSearchParams(given('query')).toString();
    const filled = given('path').reduce(
      (text, [name, value]) => text.replace(`{${name}}`, () => encodeURIComponent(value)),
      path,
    );
    return {
      sent: {
        method,
        path: query ? `${filled}?${query}` : filled,
        headers: { ...Object.fromEntries(given('header')), ...(body.type ? { 'content-type': body.type } : {}) },
        body: body.value,
      },
      wrong: [...values, body].flatMap((piece) => piece.wrong ?? []),
    };
  });
}
