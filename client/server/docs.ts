// The page at /docs, in development only: the contracts of the repository, shown by Swagger UI from our own origin.

import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { SERVERS } from '@blog/common/run/parts.ts';
import { type Middleware, notFound } from './gateway.ts';
import { SECURITY_HEADERS, TYPES } from './page-built.ts';

const REPOSITORY = join(import.meta.dirname, '../..');

/** The page and every file that it loads, by address. */
const FILES = new Map([
  ['/docs', 'client/docs/index.html'],
  ...['docs.css', 'docs.js'].map((name) => [`/docs/${name}`, `client/docs/${name}`] as const),
  ...['swagger-ui.css', 'swagger-ui-bundle.js'].map(
    (name) => [`/docs/${name}`, `node_modules/swagger-ui-dist/${name}`] as const,
  ),
  ...SERVERS.map((part) => [`/docs/${part}.yaml`, `${part}/openapi.yaml`] as const),
  ['/docs/events.yaml', 'event-bus/asyncapi.yaml'],
]);

const POLICY = 'Content-Security-Policy';
/** The headers of the built page. Swagger UI's stylesheet has its icons as `data:` URLs. */
const headers = new Map(SECURITY_HEADERS);
headers.set(POLICY, `${headers.get(POLICY)}`.replace("img-src 'self'", "img-src 'self' data:"));

/** Serves the page. Files are read at each request, so a reload shows an edit. */
export const serveDocs: Middleware = (req, res, next) => {
  const file = FILES.get((req.url ?? '/').split('?')[0] ?? '/');
  if (!file) return next();
  readFile(join(REPOSITORY, file)).then(
    (body) => {
      res.setHeaders(headers);
      res.writeHead(200, { 'Content-Type': TYPES[extname(file)], 'Cache-Control': 'no-cache' });
      res.end(req.method === 'HEAD' ? undefined : body);
    },
    () => notFound(res),
  );
};
