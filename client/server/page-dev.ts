// Serves the page from its sources, by Vite, for development.

import { readFile } from 'node:fs/promises';
import type { IncomingMessage, Server } from 'node:http';
import { join } from 'node:path';
import { isForLocalhost, WRONG_HOST } from '@blog/common/http/access.ts';
import { serveDocs } from './docs.ts';
import type { Middleware } from './gateway.ts';
import { notFound, wantsPage } from './gateway.ts';
import { sendProblem } from './problem.ts';

const ROOT = join(import.meta.dirname, '..');
/** The kernel limits of inotify(7). Vite logs an error for each file that it cannot watch, and continues. */
const INOTIFY_LIMITS = 'fs.inotify.max_user_watches (ENOSPC) or fs.inotify.max_user_instances (EMFILE)';

/** The path of this repository in Vite's URLs: raw, as a browser requests it, and percent-encoded. */
const folder = join(ROOT, '..').replaceAll('\\', '/').replace(/^\/?/, '/@fs/');
const requested = new URL(folder, 'http://localhost').pathname;
const encoded = encodeURI(folder);

/** Vite's addresses that the page is loaded from. Its other ones have side effects: one starts an editor. */
const OF_PAGE = /^\/(src|node_modules|@vite|@react-refresh|@id|@fs|[\w-]+\.svg$)/;

/**
 * Matches only Vite's own WebSocket (RFC 9110 §7.8). Offers of HTTP/2 or any other protocol are answered in HTTP/1.1.
 */
export const isViteSocket = ({ url = '', headers }: IncomingMessage): boolean =>
  /^\/(\?|$)/.test(url) && /^vite-(hmr|ping)$/.test(headers['sec-websocket-protocol'] ?? '');

type DevPage = { serve: Middleware; close: () => Promise<void> };

/** Opens the page from its sources. Vite also pushes edits to it, through the same port. */
export async function openDevPage(server: Server, allowedHosts: string[]): Promise<DevPage> {
  const { createLogger, createServer } = await import('vite');
  const logger = createLogger('warn', { allowClearScreen: false });
  const { error: logError } = logger;
  let watched = true;
  logger.error = (message, options) => {
    if (!message.includes('file watcher error')) return logError(message, options);
    if (watched) logError(`Edits of the page are not noticed: raise ${INOTIFY_LIMITS} with sysctl. (${message})`);
    watched = false;
  };
  const vite = await createServer({
    configFile: join(ROOT, 'vite.config.ts'),
    customLogger: logger,
    server: {
      middlewareMode: true,
      hmr: { server },
      // The host is checked here instead, by the same rule as for every other request.
      allowedHosts: true,
      // Vite would allow the whole repository, which contains the data.
      fs: { allow: [ROOT, join(ROOT, '../node_modules/.vite'), join(ROOT, '../node_modules/vite')] },
    },
  });
  // Vite does not encode the folder's name in its URLs, and a `[` or `%` in it makes them malformed. The gateway comes
  // after this.
  server.on('request', (req) => {
    if (req.url?.startsWith(requested)) req.url = encoded + req.url.slice(requested.length);
  });

  const serve: Middleware = (req, res) => {
    if (!isForLocalhost(req, allowedHosts)) return sendProblem(res, 403, WRONG_HOST);
    const answer = async (error?: unknown) => {
      if (error || !wantsPage(req)) return notFound(res);
      try {
        const html = await readFile(join(ROOT, 'index.html'), 'utf8');
        const page = await vite.transformIndexHtml(req.url ?? '/', html);
        res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' });
        res.end(req.method === 'HEAD' ? undefined : page);
      } catch {
        notFound(res);
      }
    };
    if (OF_PAGE.test(req.url ?? '')) vite.middlewares(req, res, answer);
    else serveDocs(req, res, answer);
  };
  return { serve, close: () => vite.close() };
}
