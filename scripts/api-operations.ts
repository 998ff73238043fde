// The operations of all parts, as docs/api.md shows them.
import { SERVERS, type Server } from '@blog/common/run/parts.ts';
import {
  documents,
  fieldsOf,
  found,
  type Json,
  json,
  lines,
  link,
  sentence,
  table,
  titleOfRef,
  typeOf,
  whole,
} from './api-words.ts';

export type Operation = { part: Server; route: string; about: Json; parameters: Json[] };

export const PROBLEM = 'application/problem+json';

export const operations: Operation[] = SERVERS.flatMap((part) =>
  Object.entries<Json>(documents[part].paths).flatMap(([path, item]) =>
    Object.entries<Json>(item)
      .filter(([key]) => key !== 'parameters')
      .map(([method, about]) => {
        const parameters = [...(item.parameters ?? []), ...(about.parameters ?? [])];
        return { part, route: `${method.toUpperCase()} ${path}`, about, parameters };
      }),
  ),
);

/** Those that have the same operation, the one itself among them. */
export const likes = ({ part, route, about }: Operation) =>
  operations.filter(
    (other) => other.route === route && whole(other.about, documents[other.part]) === whole(about, documents[part]),
  );
export const isCommon = (operation: Operation) => likes(operation).length > 1;
const anchor = (operation: Operation) =>
  `${isCommon(operation) ? 'every' : operation.part}-${operation.about.operationId}`.toLowerCase();
export const toOperation = (operation: Operation) => `[\`${operation.route}\`](#${anchor(operation)})`;

/** How a part's schema is named. */
export const schemaLink = (part: Server) => (ref: Json) => link(titleOfRef('schemas', ref, part));

/** Everything about one operation. */
export function operationText(operation: Operation): string {
  const { part, route, about, parameters } = operation;
  const document = documents[part];
  const toSchema = schemaLink(part);
  const given = parameters.map((parameter) => {
    const { name, in: place, required, schema, description = '' } = found(parameter, document);
    return [`\`${name}\`${required ? '' : '?'}`, place, typeOf(schema, toSchema), description];
  });
  const body = found(about.requestBody, document);
  const answers = Object.entries<Json>(about.responses).map(([status, ref]) => ({
    status,
    ref,
    ...found(ref, document),
  }));
  const isRefusal = ({ ref, content }: Json) => ref.$ref && content?.[PROBLEM];
  const refusals = answers
    .filter(isRefusal)
    .map(({ status, ref }) => `${status} ${titleOfRef('responses', ref, part)}`);
  const answered = answers
    .filter((answer) => !isRefusal(answer))
    .map(({ status, description, content = {}, headers = {} }) => [
      status,
      [
        description,
        ...Object.entries<Json>(headers).map(([name, header]) => headerText(name, found(header, document))),
      ].join('<br>'),
      Object.entries<Json>(content)
        .map(([type, { schema }]) => `\`${type}\`: ${typeOf(schema, toSchema)}`)
        .join('<br>'),
    ]);
  return lines(
    `<a id="${anchor(operation)}"></a>`,
    `### ${route}`,
    `${sentence(about.summary)} ${about.description ?? ''}`,
    isCommon(operation) &&
      `Of ${likes(operation)
        .map((like) => link(like.part))
        .join(', ')}.`,
    about.security && 'Needs `Authorization: Bearer …` where `BUS_TOKEN` is set.',
    table(['parameter', 'in', 'is', ''], given),
    body && bodyText(body, toSchema),
    table(['answer', '', 'body'], answered),
    refusals.length > 0 && `${link('Refusals')}: ${refusals.join(', ')}.`,
  );
}

/** A header of an answer, in a cell of a table. */
export const headerText = (name: string, { description, required, schema }: Json) =>
  `\`${name}\`${required ? '' : '?'}: ${description ?? typeOf(schema, () => '')}`;

function bodyText({ required, description, content }: Json, toSchema: (ref: Json) => string): string {
  const parts = Object.entries<Json>(content).map(([type, { schema, example }]) => {
    const fields = schema.properties && table(['field', 'is', ''], fieldsOf(schema, toSchema));
    const is = fields ? 'an object:' : `${typeOf(schema, toSchema)}.`;
    return lines(`Body \`${type}\`${required ? '' : ', if any'}: ${is}`, fields, example && json(example));
  });
  return lines(...parts, description);
}
