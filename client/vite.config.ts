// Builds the page with Vite, and serves it with the gateway before it.

import { resolve } from 'node:path';
import { agents } from '@blog/common/core/exchange.ts';
import { parseConfig } from '@blog/common/run/config.ts';
import { SERVERS, urlSetting } from '@blog/common/run/parts.ts';
import react from '@vitejs/plugin-react';
import { type CommonServerOptions, createLogger, defineConfig, type Plugin, type ProxyOptions } from 'vite';
import { gateway, problem, problemAsPage, type Settings, settingsSchema } from './server/gateway.ts';

const ROOT = import.meta.dirname;
const packages = ['.vite', 'vite', 'swagger-ui-dist'].map((name) => resolve(ROOT, '../node_modules', name));
/** The contracts that the page at /docs shows. */
const contracts = [...[...SERVERS, 'auth'].map((part) => `${part}/openapi.yaml`), 'event-bus/asyncapi.yaml'];

/** For every answer beside the built page, the same as in nginx.conf. The page in development needs more. */
const SECURITY_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
};

/** The kernel limits of inotify(7). Vite logs an error for each file that it cannot watch, and continues. */
const INOTIFY_LIMITS = 'fs.inotify.max_user_watches (ENOSPC) or fs.inotify.max_user_instances (EMFILE)';
const customLogger = createLogger('warn', { allowClearScreen: false });
const { error } = customLogger;
let isWatching = true;
customLogger.error = (message, options) => {
  // Its caller was told by a 503.
  if (message.includes('http proxy error')) return;
  if (!message.includes('file watcher error')) return error(message, options);
  if (isWatching) error(`Edits of the page are not noticed: raise ${INOTIFY_LIMITS} with sysctl. (${message})`);
  isWatching = false;
};

/** Vite does not encode the folder's name in its URLs, and a `[` or `%` in it makes them malformed. */
const folder = resolve(ROOT, '..').replaceAll('\\', '/').replace(/^\/?/, '/@fs/');
const requested = new URL(folder, 'http://localhost').pathname;
const addresses: Plugin = {
  name: 'addresses',
  configureServer({ middlewares }) {
    middlewares.use((req, _res, next) => {
      if (req.url?.startsWith(requested)) req.url = encodeURI(folder) + req.url.slice(requested.length);
      if (req.url === '/docs') req.url = '/docs/';
      next();
    });
  },
};

/** Vite's proxy to a part. The guard puts the part's name before the path. */
const proxyTo = (part: string, target: string): ProxyOptions => ({
  ...{ target, changeOrigin: true, agent: target.startsWith('https:') ? agents.https : agents.http },
  // The deadline for a part's answer, and for the next message of a stream, in milliseconds.
  proxyTimeout: 30_000,
  rewrite: (url) => url.slice(`/@${part}`.length),
  configure(proxy) {
    proxy.on('proxyRes', (answer, _req, res) => {
      // The connection to the part is not the client's.
      answer.headers.connection = res.shouldKeepAlive ? 'keep-alive' : 'close';
      // A truncated answer must not look complete, nor a dead stream alive.
      answer.on('close', () => answer.complete || res.destroy());
      // A stream is open before its first message.
      process.nextTick(() => res.flushHeaders());
    });
    proxy.on('error', (_error, req, res) => {
      if (!('req' in res) || res.headersSent) return void res.destroy();
      req.unpipe().resume();
      const send = part === 'auth' && req.headers.accept?.includes('text/html') ? problemAsPage : problem;
      send(res, 503, `${part} is not answering. Try again in a moment.`, { 'Retry-After': '1' });
    });
  },
});

/** The options of `vite` and `vite preview` alike. */
const serving = (settings: Settings): CommonServerOptions => ({
  host: settings.HOST === 'localhost' ? '127.0.0.1' : settings.HOST,
  port: settings.PORT,
  strictPort: true,
  // The guard checks host and origin, by the rules of all parts.
  allowedHosts: true,
  cors: false,
  proxy: Object.fromEntries(
    [...SERVERS, ...(settings.AUTH_URL ? ['auth'] : [])].map((part) => [
      `/@${part}/`,
      proxyTo(part, `${settings[urlSetting(part)]}`),
    ]),
  ),
});

/** axios sends with XMLHttpRequest; without its adapter for `fetch` the first load is 4 kB smaller. */
const withoutFetch: Plugin = {
  name: 'without-fetch',
  load: (id) => (id.endsWith('/axios/lib/adapters/fetch.js') ? 'export const getFetch = () => null;' : undefined),
};

export default defineConfig(({ command }) => {
  const settings: Settings | undefined = command === 'serve' ? parseConfig(settingsSchema) : undefined;
  return {
    root: ROOT,
    // The page is one document, and the gateway decides which addresses serve it.
    appType: 'mpa',
    cacheDir: resolve(ROOT, '../node_modules/.vite'),
    customLogger,
    plugins: [react(), withoutFetch, addresses, settings && gateway(settings)],
    // Listed here, because a dependency that Vite discovers late makes it reload the page.
    optimizeDeps: {
      entries: ['index.html'],
      include: [
        ...['@tanstack/react-query', 'axios', 'wouter', 'wouter/use-browser-location'],
        ...['react', 'react-dom/client', 'react/jsx-runtime', 'react/jsx-dev-runtime'],
      ],
    },
    server: {
      ...(settings && serving(settings)),
      // Vite would allow the whole repository, which contains the data.
      fs: { allow: [ROOT, ...packages, ...contracts.map((file) => resolve(ROOT, '..', file))] },
    },
    preview: { ...(settings && serving(settings)), headers: SECURITY_HEADERS },
    build: {
      target: 'baseline-widely-available',
      // A `data:` address would need an exception in the Content-Security-Policy.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
    },
  };
});
