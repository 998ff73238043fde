import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '..', '..');
const readJson = (file: string) => JSON.parse(readFileSync(join(root, file), 'utf8'));

type Package = { resolved?: string; integrity?: string; link?: boolean; hasInstallScript?: boolean };
type Lock = { lockfileVersion: number; packages: Record<string, Package> };

const REGISTRY = 'https://registry.npmjs.org/';
const { workspaces, allowScripts } = readJson('package.json') as {
  workspaces: string[];
  allowScripts: Record<string, boolean>;
};

/** What npm would install that is not what was locked, or would run that is not expected; as sentences. */
function problems({ packages }: Lock): string[] {
  return Object.entries(packages).flatMap(([path, { resolved, integrity, link, hasInstallScript }]) => {
    const name = path.split('node_modules/').at(-1) ?? '';
    const scripts = hasInstallScript && !(name in allowScripts) ? [`${path} has an install script`] : [];
    if (path === '' || workspaces.includes(path)) return scripts;
    if (link) return workspaces.includes(resolved ?? '') ? [] : [`${path} is a link to ${resolved}`];
    return [
      ...scripts,
      // npm leaves out where a package comes from when that is the registry; what it is, is said by the hash.
      ...(resolved?.startsWith(REGISTRY) !== false ? [] : [`${path} comes from ${resolved}`]),
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
    for (const folder of ['.', ...workspaces]) expect(existsSync(join(root, folder, '.npmrc'))).toBe(false);
  });

  const good = { version: '1.0.0', integrity: `sha512-${'A'.repeat(86)}==` };
  test.each<[string, string, Package, RegExp | undefined]>([
    ['a package of the registry', 'node_modules/a', good, undefined],
    ['one that says so', 'node_modules/a', { ...good, resolved: `${REGISTRY}a/-/a-1.0.0.tgz` }, undefined],
    ['one without a hash', 'node_modules/a', { resolved: `${REGISTRY}a/-/a-1.0.0.tgz` }, /^node_modules.a has no hash/],
    ['one with a weak hash', 'node_modules/a', { integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' }, /has no hash/],
    [
      'one of another host',
      'node_modules/a',
      { ...good, resolved: 'https://example.com/a.tgz' },
      /from https:..example/,
    ],
    [
      'a host that looks alike',
      'node_modules/a',
      { ...good, resolved: 'https://registry.npmjs.org.example/a' },
      /comes from/,
    ],
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
