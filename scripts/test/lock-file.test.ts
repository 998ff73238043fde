// The packages that npm installs, and the scripts that they may run.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '..', '..');
const readJson = (file: string) => JSON.parse(readFileSync(join(root, file), 'utf8'));

type Package = { resolved?: string; integrity?: string; link?: boolean; hasInstallScript?: boolean };
type Lock = { lockfileVersion: number; packages: Record<string, Package> };

const { workspaces, allowScripts } = readJson('package.json') as {
  workspaces: string[];
  allowScripts: Record<string, boolean>;
};

/** Packages that npm would install unlike the lock, or whose install scripts are not expected, as sentences. */
function problems({ packages }: Lock): string[] {
  return Object.entries(packages).flatMap(([path, { resolved, integrity, link, hasInstallScript }]) => {
    const name = path.split('node_modules/').at(-1) ?? '';
    const scripts = hasInstallScript && !(name in allowScripts) ? [`${path} has an install script`] : [];
    if (path === '' || workspaces.includes(path)) return scripts;
    if (link) return workspaces.includes(resolved ?? '') ? [] : [`${path} is a link to ${resolved}`];
    return [
      ...scripts,
      // For a registry package .npmrc omits the address; its hash identifies it.
      ...(resolved === undefined ? [] : [`${path} comes from ${resolved}`]),
      ...(/^sha512-[\w+/]{86}==$/.test(integrity ?? '') ? [] : [`${path} has no hash`]),
    ];
  });
}

const lock: Lock = readJson('package-lock.json');

describe('the lock file', () => {
  test('names every package by its hash, from npm’s registry; install scripts are only those that were looked at', () => {
    expect(lock.lockfileVersion).toBe(3);
    expect(Object.keys(lock.packages).length).toBeGreaterThan(workspaces.length + 1);
    expect(problems(lock)).toEqual([]);
  });

  test('of the install scripts only that of the package `node` is allowed', () => {
    const allowed = Object.entries(allowScripts).filter(([, is]) => is);
    expect(allowed).toEqual([['node', true]]);
  });

  test('no file of the project sends npm to another registry', () => {
    const settings = readFileSync(join(root, '.npmrc'), 'utf8').replace(/^#.*\n/gm, '');
    expect(settings).toBe('omit-lockfile-registry-resolved=true\n');
    for (const folder of workspaces) expect(existsSync(join(root, folder, '.npmrc'))).toBe(false);
  });

  const good = { version: '1.0.0', integrity: `sha512-${'A'.repeat(86)}==` };
  test.each<[string, string, Package, RegExp | undefined]>([
    ['a package of the registry', 'node_modules/a', good, undefined],
    ['one without a hash', 'node_modules/a', {}, /^node_modules.a has no hash/],
    ['one with a weak hash', 'node_modules/a', { integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' }, /has no hash/],
    ['one of some host', 'node_modules/a', { ...good, resolved: 'https://example.com/a.tgz' }, /from https:..example/],
    [
      'one of a repository',
      'node_modules/a',
      { ...good, resolved: 'git+ssh://git@github.com/a/a.git#1' },
      /comes from git/,
    ],
    ['one below another', 'node_modules/b/node_modules/@c/a', {}, /^node_modules.b.node_modules.@c.a has no hash/],
    ['a link out of the project', 'node_modules/a', { link: true, resolved: '../a' }, /is a link to ...a/],
    ['a link to a workspace', 'node_modules/@blog/posts', { link: true, resolved: 'posts' }, undefined],
    [
      'an install script',
      'node_modules/a',
      { ...good, hasInstallScript: true },
      /^node_modules.a has an install script/,
    ],
    ['one in a workspace', 'posts', { hasInstallScript: true }, /^posts has an install script/],
  ])('found is, or let pass: %s', (_, path, entry, found) => {
    const wrong = problems({ ...lock, packages: { [path]: entry } });
    expect(wrong).toEqual(found ? [expect.stringMatching(found)] : []);
  });
});
