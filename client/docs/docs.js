// Shows each contract that the page links to, by Swagger UI. It reads only OpenAPI: so the events are shown as webhooks.

import 'swagger-ui-dist/swagger-ui.css';
import './docs.css';
import bundle from 'swagger-ui-dist/swagger-ui-bundle.js?url';

/** The addresses of the contracts, by their paths. */
const contracts = import.meta.glob('../../*/*.yaml', { query: '?url', import: 'default', eager: true });

/** Converts AsyncAPI to OpenAPI 3.1. A message becomes a webhook, because the bus delivers it by POST. */
function toOpenApi({ info, channels, components: { messages, schemas } }) {
  const addresses = Object.values(channels).map(({ address, description }) => `\`POST ${address}\`: ${description}`);
  const webhooks = Object.entries(messages).map(([name, message]) => {
    const { summary, contentType, payload, examples, 'x-handled-by': handlers } = message;
    const description = `Handled by ${handlers.join(', ') || 'none of the services'}.`;
    const content = { [contentType]: { schema: payload, example: examples[0].payload } };
    return [name, { post: { summary, description, requestBody: { content } } }];
  });
  return {
    openapi: '3.1.0',
    info: { ...info, description: [info.description, ...addresses].join('\n\n') },
    webhooks: Object.fromEntries(webhooks),
    components: { schemas },
  };
}

/** A plugin of Swagger UI: converts a document when it was parsed. */
const asyncApi = {
  statePlugins: {
    spec: {
      wrapActions: {
        updateJsonSpec: (update) => (document) => update(document.asyncapi ? toOpenApi(document) : document),
      },
    },
  },
};

const script = document.createElement('script');
script.src = bundle;
document.head.append(script);
await new Promise((resolve) => script.addEventListener('load', resolve));

document.documentElement.classList.toggle('dark-mode', matchMedia('(prefers-color-scheme: dark)').matches);
for (const { hash } of document.querySelectorAll('nav a[href^="#"]')) {
  const section = document.createElement('section');
  section.id = hash.slice(1);
  document.body.append(section);
  const file = section.id === 'events' ? 'event-bus/asyncapi.yaml' : `${section.id}/openapi.yaml`;
  SwaggerUIBundle({
    domNode: section,
    url: contracts[`../../${file}`],
    plugins: [asyncApi],
    // Schemas are collapsed.
    defaultModelsExpandDepth: 0,
    // No "Try it out": not every server may be called by a page of another origin.
    supportedSubmitMethods: [],
    onComplete: () => location.hash === hash && section.scrollIntoView(),
  });
}
