import { readFile } from 'node:fs/promises';
import type { IncomingMessage, Server } from 'node:http';
import { join } from 'node:path';
import { isForLocalhost, WRONG_HOST } from '@blog/common/http/access.ts';
import type { Middleware } from './gateway.ts';
import { notFound, wantsPage } from './gateway.ts';
import { sendProblem } from './problem.ts';

const ROOT = join(import.meta.dirname, '..');
/** inotify(7). Vite logs an error for each file that it cannot watch, and goes on. */
const INOTIFY_LIMITS = 'fs.inotify.max_user_watches (ENOSPC) or fs.inotify.max_user_instances (EMFILE)';

/** The path of this repository in Vite's URLs: as a browser requests it, and as it is percent-encoded. */
const folder = join(ROOT, '..').replaceAll('\\', '/').replace(/^\/?/, '/@fs/');
const requested = new URL(folder, 'http://localhost').pathname;
const encoded = encodeURI(folder);

/** The addresses of Vite's that the page is loaded from. Its other ones do something: one starts an editor. */
const OF_PAGE = /^\/(src|node_modules|@vite|@react-refresh|@id|@fs|[\w-]+\.svg$)/;

/** Only for Vite's own socket (RFC 9110 §7.8): a client that offers HTTP/2, or any other protocol, is answered in HTTP/1.1. */
export const isViteSocket = ({ url = '', headers }: IncomingMessage): boolean =>
  /^\/(\?|$)/.test(url) && /^vite-(hmr|ping)$/.test(headers['sec-websocket-protocol'] ?? '');

type DevPage = { serve: Middleware; close: () => Promise<void> };

/** The page from its sources, by Vite, which also pushes edits to it through the same port. */
export async function openDevPage(server: Server, allowedHosts: string[]): Promise<DevPage> {
  const { createLogger, createServer } = await import('vite');
  const logger = createLogger('warn', { allowClearScreen: false });
  const { error: logError } = logger;
  let watched = true;
  logger.error = (message, options) => {
    if (!message.includes('file watcher error')) return logError(message, options);
    if (watched) logError(`Edits of the page are not followed; raise ${INOTIFY_LIMITS} with sysctl. (${message})`);
    watched = false;
  };
  const vite = await createServer({
    configFile: join(ROOT, 'vite.config.ts'),
    customLogger: logger,
    server: {
      middlewareMode: true,
      hmr: { server },
      // Checked here, by the same rule as everywhere.
      allowedHosts: true,
      // Not the whole repository, which Vite would take: the data is in it.
      fs: { allow: [ROOT, join(ROOT, '../node_modules/.vite'), join(ROOT, '../node_modules/vite')] },
    },
  });
  // Vite does not encode the folder's name in its URLs, and a `[` or `%` in it makes them malformed. The gateway comes after this.
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
    else answer();
  };
  return { serve, close: () => vite.close() };
}
