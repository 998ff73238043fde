// What asyncapi.yaml says of the events.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { asyncapi as document, reasons } from '../../common/test/contract.ts';

const root = join(import.meta.dirname, '../..');
const specification = join(root, 'node_modules/@asyncapi/specs/schemas/3.0.0.json');

type Message = { contentType: string; examples: { payload: { type: string } }[] };
export const messages: Record<string, Message> = document.components.messages;

/** What is wrong with the document itself. */
export function documentErrors(): unknown {
  // It brings the schema of schemas along.
  const ajv = new Ajv({ strict: false, meta: false, validateSchema: false });
  formats.default(ajv);
  const isValid = ajv.compile(JSON.parse(readFileSync(specification, 'utf8')));
  return isValid(document) ? [] : isValid.errors;
}

const ajv = new Ajv({ strict: false });
formats.default(ajv);
ajv.addSchema(document, 'asyncapi', undefined, false);

/** What is wrong with an event, or '' if it is as the message of this name. */
export function eventErrors(event: unknown, message: string): string {
  const isValid = ajv.compile({ $ref: `asyncapi#/components/messages/${message}/payload` });
  return isValid(event) ? '' : reasons(isValid);
}
