/** @jest-environment node */
// The first load: the scripts that a browser gets for `/`, from a build of the page.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');
/** The limit in bytes, gzipped. */
const MOST_BYTES = 102_000;

let folder: string;
let scripts: string[];
let first: string[];
const read = (name: string) => readFileSync(join(folder, name));

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'blog first load '));
  const vite = join(ROOT, 'node_modules/vite/bin/vite.js');
  const options = ['--outDir', folder, '--emptyOutDir', '--manifest', 'manifest.json', '--logLevel', 'warn'];
  // With the tests' NODE_ENV the build would have the development version of React.
  const env = { ...process.env, NODE_ENV: 'production' };
  execFileSync(process.execPath, [vite, 'build', join(ROOT, 'client'), ...options], { env });
  scripts = readdirSync(join(folder, 'assets'))
    .filter((name) => name.endsWith('.js'))
    .map((name) => `assets/${name}`);
  const manifest: Record<string, { file: string; imports?: string[] }> = JSON.parse(`${read('manifest.json')}`);
  const withImports = (key: string): string[] => {
    const { file = '', imports = [] } = manifest[key] ?? {};
    return [file, ...imports.flatMap(withImports)];
  };
  const inDocument = [...`${read('index.html')}`.matchAll(/(?:src|href)="\/([^"]+\.js)"/g)].map(
    ([, name = '']) => name,
  );
  const worker = scripts.filter((name) => /^assets\/stream-worker-/.test(name));
  expect(worker).toHaveLength(1);
  first = [...new Set([...withImports('index.html'), ...inDocument, ...worker])];
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test(`the blog loads at most ${MOST_BYTES} bytes of script, gzipped, with that of its worker`, () => {
  const sizes = first.map((name) => ({ name, bytes: gzipSync(read(name)).length }));
  const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  expect({ sizes, isSmall: total <= MOST_BYTES, total }).toEqual({ sizes, isSmall: true, total });
});

test.each([
  ['the System page', 'How events travel'],
  ['TanStack Query', 'fetchStatus'],
])('%s is in a script of its own, which is loaded when the System page is opened', (_what, text) => {
  expect(scripts.filter((name) => read(name).includes(text))).not.toEqual([]);
  expect(first.filter((name) => read(name).includes(text))).toEqual([]);
});

test('the page of the contracts is in no script of the blog', () => {
  expect(scripts.filter((name) => /swagger|opblock/i.test(`${read(name)}`))).toEqual([]);
});
