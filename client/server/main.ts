// Starts Vite with the gateway: the page from its sources, or with `--production` as it is built.

import { globSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { build, createServer, preview } from 'vite';

const ROOT = join(import.meta.dirname, '..');
const options = { configFile: join(ROOT, 'vite.config.ts'), configLoader: 'native', logLevel: 'warn' } as const;
const SOURCES = ['src/**/*', 'public/**/*', 'index.html', 'vite.config.ts', 'package.json'];

/** The time of a file's or folder's last change; 0 if there is none. */
const changed = (name: string) => statSync(join(ROOT, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;

if (process.argv.includes('--production')) {
  const built = changed('dist/index.html');
  if (globSync(SOURCES, { cwd: ROOT }).some((name) => changed(name) > built)) await build(options);
  await preview(options);
} else await (await createServer(options)).listen();
