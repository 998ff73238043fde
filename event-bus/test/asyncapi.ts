// Checks events against asyncapi.yaml.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { asyncapi as document, reasons } from '../../common/test/contract.ts';

const root = join(import.meta.dirname, '../..');
const specification = join(root, 'node_modules/@asyncapi/specs/schemas/3.0.0.json');

type Message = { contentType: string; examples: { payload: { type: string } }[] };
export const messages: Record<string, Message> = document.components.messages;

/** The errors of the document itself. */
export function documentErrors(): unknown {
  // The specification's schema includes its own metaschema.
  const ajv = new Ajv({ strict: false, meta: false, validateSchema: false });
  formats.default(ajv);
  const isValid = ajv.compile(JSON.parse(readFileSync(specification, 'utf8')));
  return isValid(document) ? [] : isValid.errors;
}

const ajv = new Ajv({ strict: false });
formats.default(ajv);
ajv.addSchema(document, 'asyncapi', undefined, false);

/** The errors of an event; '' if it conforms to the message of this name. */
export function eventErrors(event: unknown, message: string): string {
  const isValid = ajv.compile({ $ref: `asyncapi#/components/messages/${message}/payload` });
  return isValid(event) ? '' : reasons(isValid);
}
