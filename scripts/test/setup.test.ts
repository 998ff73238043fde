// The installation of missing packages and of the project's Node.

import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
// @ts-expect-error plain JavaScript, see there
import { isInstalled, nodeBinary, writeLauncher } from '../lib/setup.mjs';

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

test("packages count as installed if npm's record equals the lock file", () => {
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
])('they do not, if the lock file asks for %s', (_, wanted) => {
  found({ 'node_modules/a': { version: '1.0.0' } });
  lock(wanted);
  expect(isInstalled(root)).toBe(false);
});

const native = (os: string) => ({ version: '1.0.0', optional: true, os: [os], cpu: [process.arch] });

test.each([
  ['the native code of this platform', native(process.platform)],
  ['native code for all but others', { ...native('!aix'), cpu: undefined }],
])('they do not, if node_modules came from another platform and lack %s', (_, needed) => {
  lock({ 'node_modules/ours': needed, 'node_modules/theirs': native('aix') });
  found({ 'node_modules/theirs': native('aix') });
  expect(isInstalled(root)).toBe(false);
  found({ 'node_modules/ours': needed });
  expect(isInstalled(root)).toBe(true);
});

const posix = process.platform === 'win32' ? test.skip : test;
posix("`node` is the project's Node, and on another platform the next one on the PATH", () => {
  const bin = join(root, 'node_modules', '.bin');
  const binary = join(root, 'node_modules', 'node', 'bin', 'node');
  for (const folder of [bin, join(binary, '..')]) mkdirSync(folder, { recursive: true });
  writeFileSync(binary, '#!/bin/sh\necho the one of the project "$@"\n', { mode: 0o755 });
  symlinkSync('../node/bin/node', join(bin, 'node'));
  writeLauncher(root);
  const env = { ...process.env, PATH: [bin, join(process.execPath, '..'), process.env.PATH].join(':') };
  const node = () => spawnSync('sh', ['-c', 'node --version "a b"'], { env, encoding: 'utf8' }).stdout.trim();
  expect(node()).toBe('the one of the project --version a b');
  const launcher = realpathSync(join(bin, 'node'));
  writeFileSync(launcher, readFileSync(launcher, 'utf8').replace(/= '.*'/, "= 'AIX 00F9'"));
  expect(node()).toBe(process.version);
});

test('a Node for another platform, or of another version, is replaced', () => {
  cpSync(join(import.meta.dirname, '..', 'lib', 'setup.mjs'), join(root, 'scripts', 'lib', 'setup.mjs'));
  writeFileSync(join(root, 'package.json'), JSON.stringify({ devDependencies: { node: '26.0.0' } }));
  lock({});
  found({});
  mkdirSync(join(nodeBinary(root), '..'), { recursive: true });
  writeFileSync(nodeBinary(root), '\u007fELF for another processor', { mode: 0o755 });
  const npm = join(root, 'npm-cli.cjs');
  writeFileSync(npm, 'console.log("npm", process.argv.slice(2).join(" "))');
  const env = { ...process.env, npm_execpath: npm, npm_node_execpath: '' };
  const { stdout } = spawnSync(process.execPath, [join(root, 'scripts', 'lib', 'setup.mjs')], {
    env,
    encoding: 'utf8',
  });
  expect(stdout).toContain('npm rebuild node --ignore-scripts=false');
});

test('packages without the Node that they bring are repaired, or the script fails with one clear line', () => {
  cpSync(join(import.meta.dirname, '..', 'lib', 'setup.mjs'), join(root, 'scripts', 'lib', 'setup.mjs'));
  writeFileSync(join(root, 'package.json'), JSON.stringify({ devDependencies: { node: '26.0.0' } }));
  lock({});
  found({});
  // A fake npm that prints its arguments and changes nothing.
  const npm = join(root, 'npm-cli.cjs');
  writeFileSync(npm, 'console.log("npm", process.argv.slice(2).join(" "))');
  const env = { ...process.env, npm_execpath: npm, npm_node_execpath: '' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'scripts', 'lib', 'setup.mjs')], {
    env,
    encoding: 'utf8',
  });
  expect(stdout).toContain('npm rebuild node --ignore-scripts=false');
  expect(stderr.trim()).toBe('Node v26.0.0 could not be installed (found none in node_modules/node).');
  expect(status).toBe(1);
  expect(nodeBinary(root)).toContain(root);
});
