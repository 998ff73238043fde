// docs/api.md, made from the contracts, which stay the truth: each part's openapi.yaml, the events' asyncapi.yaml and the
// gateway's routes. What several parts have alike is said once.
import { SERVERS, type Server } from '@blog/common/run/parts.ts';
import { findTarget, ROUTES } from '../client/server/routes.ts';
import {
  headerText,
  isCommon,
  likes,
  operations,
  operationText,
  PROBLEM,
  schemaLink,
  toOperation,
} from './api-operations.ts';
import {
  asyncapi,
  documents,
  fieldsOf,
  found,
  type Json,
  json,
  lines,
  link,
  table,
  titleOf,
  typeOf,
} from './api-words.ts';

/** The addresses that a route of the gateway has: its choices spelled out, `{id}` and `1` for what may be anything. */
function addressesOf(pattern: string): string[] {
  const [group, choices, isOptional] = /\((?:\?:)?([^()]*)\)(\?)?/.exec(pattern) ?? [];
  if (group === undefined || choices === undefined) return [pattern];
  return [...(isOptional ? [''] : []), ...choices.split('|')].flatMap((one) =>
    addressesOf(pattern.replace(group, one)),
  );
}

const isRoute = (route: string, request: string) =>
  new RegExp(`^${route.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`).test(request);

/** Where each route of the gateway leads, as the gateway itself says. */
const gatewayRows = ROUTES.flatMap(({ methods, path, control }) => {
  const pattern = path.source.slice(1, -1).replaceAll('\\/', '/').replace('([^/]+)', '{id}').replace('([0-9]+)', '1');
  const requests = addressesOf(pattern).flatMap((address) =>
    methods.filter((method) => method !== 'HEAD').map((method) => [method, address] as const),
  );
  return requests.map(([method, address]) => {
    const target = findTarget(method, address, true);
    const to = operations.find(
      ({ part, route }) =>
        target && 'part' in target && target.part === part && isRoute(route, `${method} ${target.path}`),
    );
    if (!to) throw new Error(`the gateway's ${method} ${address} leads to nothing that is documented`);
    const shown = `\`${method} ${address.replace('/1/', '/{position}/')}\``;
    return [shown, `${link(to.part)}: ${toOperation(to)}`, control ? 'only where `CONTROL=on`' : ''];
  });
});

const partText = (part: Server) => {
  const { info, servers } = documents[part];
  const own = operations.filter((operation) => operation.part === part);
  return lines(
    `## ${part}`,
    `${info.description} In development it is at <${servers[0].url}>.`,
    table(
      ['route', ''],
      own.map((operation) => [toOperation(operation), operation.about.summary]),
    ),
    ...own.filter((operation) => !isCommon(operation)).map(operationText),
  );
};

const common = operations.filter((operation) => likes(operation)[0] === operation && isCommon(operation));

/** Each component of a kind once, or once for each part that has something else of its name. */
const components = (kind: 'schemas' | 'responses') => {
  const all = SERVERS.flatMap((part) =>
    Object.entries<Json>(documents[part].components[kind] ?? {}).map(
      ([name, component]) => [titleOf(kind, name, part), { part, component }] as const,
    ),
  );
  return [...new Map(all)].sort(([a], [b]) => a.localeCompare(b));
};

const refusalRows = components('responses')
  .filter(([, { component }]) => component.content[PROBLEM])
  .map(([title, { part, component }]) => {
    const headers = Object.entries<Json>(component.headers ?? {}).map(([name, header]) =>
      headerText(name, found(header, documents[part])),
    );
    return [title, [component.description, ...headers].join('<br>')];
  });

function schemaText(title: string, schema: Json, toSchema: (ref: Json) => string): string {
  const { properties, ...rest } = schema;
  const fields = fieldsOf(schema, toSchema);
  const is = typeOf(rest, toSchema);
  const always = (schema.required ?? []).filter((name: string) => !schema.properties?.[name]);
  return lines(
    `### ${title}`,
    `${schema.description ?? ''} ${is === 'object' ? '' : `${is[0]?.toUpperCase()}${is.slice(1)}${fields.length > 0 ? ', and:' : '.'}`}`,
    table(['field', 'is', ''], fields),
    always.length > 0 && `Always there: ${always.map((name: string) => `\`${name}\``).join(', ')}.`,
  );
}

/** What an event holds; its schemas are small, so they are told where they stand. */
function eventsText(): string {
  const { messages, schemas } = asyncapi.components;
  const inPlace = (ref: Json): string => typeOf(found(ref, asyncapi), inPlace);
  const events = Object.entries<Json>(messages);
  const handlers = (about: Json) => about['x-handled-by'].map((part: string) => link(part)).join(', ');
  return lines(
    '## The events',
    asyncapi.info.description,
    ...Object.values<Json>(asyncapi.channels).map(({ address, description }) => `\`POST ${address}\`: ${description}`),
    table(
      ['event', '', 'handled by'],
      events.map(([name, about]) => [link(name), about.summary, handlers(about)]),
    ),
    'Every event of ours has these attributes, and most have `data` of their own:',
    table(['attribute', 'is', ''], fieldsOf(schemas.CloudEvent, inPlace)),
    ...events.map(([name, { summary, payload, examples }]) => {
      const data = found(payload.properties.data, asyncapi);
      const fields = table(['field of `data`', 'is', ''], fieldsOf(data, inPlace));
      return lines(`### ${name}`, summary, fields, json(examples[0].payload));
    }),
  );
}

const SECTIONS = ['The gateway', ...SERVERS, 'What several parts answer', 'The events', 'Refusals', 'Schemas'];

/** The whole page. */
export const apiDocs = (): string =>
  `${lines(
    '# API',
    "Made by `npm run docs` from each part's `openapi.yaml`, the events' `asyncapi.yaml` and the gateway's routes: change those. " +
      'The tests compare what is said there with what the parts really do. `?` marks what may be missing.',
    SECTIONS.map((section) => `- ${link(section)}`).join('\n'),
    '## The gateway',
    "The client's server, the one way in from outside. It passes on what stands here (`HEAD` as well as `GET`), answers " +
      '`GET /healthz`, `/readyz` and `/api/system/parts/client` (whether there is `control`) itself, gives the page for any other ' +
      '`GET`, and refuses the rest. What would change something is 403 if it comes from the page of another origin. In ' +
      'development it is at <http://localhost:3000>.',
    'The rows with `CONTROL=on` are 404 without it, and wherever the page is called by a name that is not its own ' +
      '(localhost, no dot, `*.internal`, an IP address, `ALLOWED_HOSTS`); they take a body only as JSON.',
    table(['request', 'is passed on to', ''], gatewayRows),
    ...SERVERS.map(partText),
    '## What several parts answer',
    ...common.map(operationText),
    eventsText(),
    '## Refusals',
    `Each is \`${PROBLEM}\` (RFC 9457), a ${link('Problem')}. An address that there is not is 404, a method that an address does ` +
      'not have 405 with `Allow`.',
    table(['refusal', ''], refusalRows),
    '## Schemas',
    ...components('schemas').map(([title, { part, component }]) => schemaText(title, component, schemaLink(part))),
  ).trim()}\n`;
