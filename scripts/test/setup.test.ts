import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
// @ts-expect-error plain JavaScript, see there
import { isInstalled, nodeBinary } from '../setup.mjs';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'blog setup '));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const writeJson = (path: string, packages: object) => {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), JSON.stringify({ packages }));
};
const lock = (packages: object) => writeJson('package-lock.json', { '': {}, ...packages });
const found = (packages: object) => writeJson('node_modules/.package-lock.json', packages);

test('what the lock file asks for is installed, when npm has noted just that', () => {
  lock({ 'node_modules/a': { version: '1.0.0' }, 'node_modules/other-os': { version: '1.0.0', optional: true } });
  expect(isInstalled(root)).toBe(false);
  found({ 'node_modules/a': { version: '1.0.0' } });
  expect(isInstalled(root)).toBe(true);
});

test.each([
  ['another version', { 'node_modules/a': { version: '1.0.1' } }],
  ['other content', { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-x' } }],
  ['one more', { 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '1.0.0' } }],
  ['one fewer', {}],
])('it is not, when the lock file asks for %s', (_, wanted) => {
  found({ 'node_modules/a': { version: '1.0.0' } });
  lock(wanted);
  expect(isInstalled(root)).toBe(false);
});

test('packages without the Node that they bring are repaired, or the script fails with one clear line', () => {
  cpSync(join(import.meta.dirname, '..', 'setup.mjs'), join(root, 'scripts', 'setup.mjs'));
  writeFileSync(join(root, 'package.json'), JSON.stringify({ devDependencies: { node: '26.0.0' } }));
  lock({});
  found({});
  // In place of npm: it says what it is asked for, and changes nothing.
  const npm = join(root, 'npm-cli.cjs');
  writeFileSync(npm, 'console.log("npm", process.argv.slice(2).join(" "))');
  const env = { ...process.env, npm_execpath: npm, npm_node_execpath: '' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'scripts', 'setup.mjs')], {
    env,
    encoding: 'utf8',
  });
  expect(stdout).toContain('npm rebuild node --ignore-scripts=false');
  expect(stderr.trim()).toBe('Node v26.0.0 could not be installed (found none in node_modules/node).');
  expect(status).toBe(1);
  expect(nodeBinary(root)).toContain(root);
});
