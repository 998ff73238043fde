import { readFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { join } from 'node:path';
import type { Middleware } from './gateway.ts';
import { notFound, wantsPage } from './gateway.ts';

const ROOT = join(import.meta.dirname, '..');

/** The page from its sources, by Vite, which also pushes edits to it through the same port. */
export async function openDevPage(server: Server): Promise<{ serve: Middleware; close: () => Promise<void> }> {
  const { createServer } = await import('vite');
  const vite = await createServer({
    configFile: join(ROOT, 'vite.config.ts'),
    clearScreen: false,
    logLevel: 'warn',
    server: { middlewareMode: true, hmr: { server } },
  });

  const serve: Middleware = (req, res) => {
    vite.middlewares(req, res, async (error?: unknown) => {
      if (error || !wantsPage(req)) return notFound(res);
      try {
        const html = await readFile(join(ROOT, 'index.html'), 'utf8');
        const page = await vite.transformIndexHtml(req.url ?? '/', html);
        res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' });
        res.end(req.method === 'HEAD' ? undefined : page);
      } catch {
        notFound(res);
      }
    });
  };
  return { serve, close: () => vite.close() };
}
