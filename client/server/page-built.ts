// Builds the page if its sources are newer, and serves it from memory.

import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { Middleware } from './gateway.ts';
import { notFound, wantsPage } from './gateway.ts';

const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
const SOURCES = ['src/**/*', 'public/**/*', 'index.html', 'vite.config.ts', 'package.json'];

export const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.yaml': 'application/yaml',
};

/** Security headers for every answer of the built page, the same as in nginx.conf. Vite's own pages need more. */
export const SECURITY_HEADERS = new Map([
  [
    'Content-Security-Policy',
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  ],
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
  ['Permissions-Policy', 'camera=(), geolocation=(), microphone=(), payment=(), usb=()'],
]);

/** Opens the built page, after building it if necessary. */
export async function openBuiltPage(): Promise<{ serve: Middleware }> {
  if (isOutdated()) await buildPage();
  return { serve: servePage(DIST) };
}

/** Serves a folder from memory. It is small, and no request can name a file outside of it. */
export function servePage(folder: string): Middleware {
  const files = new Map(listFiles(folder, ['**/*']).map((name) => [`/${name}`, readFileSync(join(folder, name))]));

  return (req, res) => {
    const path = (req.url ?? '/').split('?')[0] ?? '/';
    const name = files.has(path) ? path : wantsPage(req) ? '/index.html' : undefined;
    const body = name && files.get(name);
    if (!name || !body) return notFound(res);
    res.writeHead(200, {
      'Content-Type': TYPES[extname(name)] ?? 'application/octet-stream',
      'Content-Length': body.length,
      // Assets have a hash of their content in their name, so they can be cached for ever.
      'Cache-Control': name.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    });
    res.end(req.method === 'HEAD' ? undefined : body);
  };
}

/** True if the page is not built yet or a source has changed since. */
function isOutdated(): boolean {
  const page = join(DIST, 'index.html');
  if (!existsSync(page)) return true;
  const built = statSync(page).mtimeMs;
  return listFiles(ROOT, SOURCES).some((name) => statSync(join(ROOT, name)).mtimeMs > built);
}

async function buildPage() {
  const { build } = await import('vite');
  await build({ configFile: join(ROOT, 'vite.config.ts'), logLevel: 'warn' });
}

function listFiles(folder: string, patterns: string[]): string[] {
  return globSync(patterns, { cwd: folder })
    .filter((name) => statSync(join(folder, name)).isFile())
    .map((name) => name.replaceAll('\\', '/'));
}
