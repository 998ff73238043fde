// Rules for imports, including those of types: on the server side they point down, there are no cycles, and no file is
// too long; the scripts and the tests of the whole meet in scripts/lib only.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { expect, test } from '@jest/globals';

/** The text of each source file, by its path from the repository's root. */
type Files = Record<string, string>;

const ROOT = join(import.meta.dirname, '..', '..');
const SERVERS = '{common,posts,comments,query,moderation,event-bus,auth,auth/issuer}/src/**/*.ts';
const TOOLS = '{scripts,e2e,bench,lessons}/**/*.{ts,mjs}';
const CLIENT = 'client/{src,server}/**/*.{ts,tsx}';

/** Reads the files whose paths match. */
const read = (...patterns: string[]): Files => {
  const paths = globSync(patterns, { cwd: ROOT }).map((path) => path.replaceAll('\\', '/'));
  return Object.fromEntries(paths.map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]));
};

const IMPORT = /^(?:import|export)\b(?:[^;'"]*?\bfrom)?\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;

/** The files of this repository that a file imports. */
function importsOf(files: Files, path: string): string[] {
  const names = [...(files[path] ?? '').matchAll(IMPORT)].map(([, whole, called]) => whole ?? called ?? '');
  const own = names.map((name) => name.replace(/^@blog\/common\//, `${posix.relative(dirname(path), 'common/src')}/`));
  return own.filter((name) => name.startsWith('.')).map((name) => posix.join(dirname(path), name));
}

const arrowsOf = (files: Files) =>
  Object.keys(files).flatMap((path) => importsOf(files, path).map((target) => [path, target] as const));

/** The files that import themselves, directly or through others. */
function cycles(files: Files): string[] {
  const reaches = (path: string, goal: string, seen = new Set<string>()): boolean =>
    importsOf(files, path).some((target) => {
      if (target === goal) return true;
      if (seen.has(target)) return false;
      return reaches(target, goal, seen.add(target));
    });
  return Object.keys(files).filter((path) => reaches(path, path));
}

/** The folders from which the files of a folder may import, besides their own. */
const BELOW: Record<string, string[]> = {
  'common/src/core': [],
  'common/src/http': ['common/src/core'],
  'common/src/observe': ['common/src/core'],
  'common/src/run': ['common/src/core', 'common/src/http', 'common/src/observe'],
};
/** A part's own folders import each other; that no files do is another rule. */
const partOf = (folder: string) => folder.replace(/^(event-bus)\/src\/.*/, '$1/src');

function mayImport(path: string, target: string): boolean {
  if (target === 'common/package.json') return true;
  const own = partOf(dirname(path));
  const folders = [own, ...(BELOW[own] ?? Object.keys(BELOW))];
  return folders.includes(partOf(dirname(target)));
}

const upwards = (files: Files) => arrowsOf(files).filter(([path, target]) => !mayImport(path, target));
const fromTests = (files: Files) => arrowsOf(files).filter(([, target]) => /(^|\/)(test|e2e)\//.test(target));
/** In scripts/lib is all that both the scripts and the tests of the whole use. */
const aroundLib = (files: Files) =>
  arrowsOf(files).filter(([path, target]) => {
    const [from, to] = [path, target].map((file) => file.split('/')[0]);
    if (dirname(path) === 'scripts/lib') return (from === to || to === 'e2e') && dirname(target) !== 'scripts/lib';
    return from === 'scripts' ? to === 'e2e' : to === 'scripts' && dirname(target) !== 'scripts/lib';
  });
const tooLong = (files: Files) => Object.keys(files).filter((path) => (files[path] ?? '').split('\n').length > 221);

test('no files of the servers, or of the scripts, import each other, not even through others', () => {
  expect(cycles(read(SERVERS))).toEqual([]);
  expect(cycles(read('scripts/**/*.{ts,mjs}'))).toEqual([]);
});

test('imports point down: from a service to common, and there from run to http and observe, and to core', () => {
  const files = read(SERVERS);
  expect(arrowsOf(files).length).toBeGreaterThan(200);
  expect(upwards(files)).toEqual([]);
});

test('no file of the servers or the client imports from tests', () => {
  expect(fromTests(read(SERVERS, CLIENT))).toEqual([]);
});

test('the scripts and the tests of the whole share only scripts/lib, which imports neither of them', () => {
  const files = read(TOOLS);
  expect(arrowsOf(files).length).toBeGreaterThan(200);
  expect(aroundLib(files)).toEqual([]);
});

test('no file of the servers has more than 220 lines', () => {
  expect(tooLong(read(SERVERS))).toEqual([]);
});

test('a cycle, an upward import, one from tests, one around scripts/lib and a long file are found', () => {
  const planted = {
    'common/src/core/a.ts': "import {\n  type B,\n} from '../http/b.ts';\n",
    'common/src/http/b.ts': "export { c } from './c.ts';\nimport '@blog/common/core/d.ts';\n",
    'common/src/http/c.ts': "const { a } = await import('../core/a.ts');\n",
    'common/src/core/d.ts': "import { fake } from '../../test/fake.ts';\n",
    'posts/src/e.ts': `import { f } from '../../query/src/f.ts';\nimport { z } from 'zod';\n${'\n'.repeat(219)}`,
    'posts/src/main.ts': "import { b } from '@blog/common/http/b.ts';\nimport { e } from './e.ts';\n".padEnd(400, '\n'),
  };
  expect(cycles(planted)).toEqual(['common/src/core/a.ts', 'common/src/http/b.ts', 'common/src/http/c.ts']);
  expect(upwards(planted)).toEqual([
    ['common/src/core/a.ts', 'common/src/http/b.ts'],
    ['common/src/core/d.ts', 'common/test/fake.ts'],
    ['posts/src/e.ts', 'query/src/f.ts'],
  ]);
  expect(fromTests(planted)).toEqual([['common/src/core/d.ts', 'common/test/fake.ts']]);
  const around = {
    'scripts/lib/a.ts': "import { run } from '../run/run.ts';\nimport { b } from './b.ts';\n",
    'scripts/run/run.ts': "import { until } from '../../e2e/lib/until.ts';\nimport { a } from '../lib/a.ts';\n",
    'e2e/chaos/chaos.ts':
      "import { run } from '../../scripts/run/run.ts';\nimport { a } from '../../scripts/lib/a.ts';\n",
  };
  expect(aroundLib(around)).toEqual([
    ['scripts/lib/a.ts', 'scripts/run/run.ts'],
    ['scripts/run/run.ts', 'e2e/lib/until.ts'],
    ['e2e/chaos/chaos.ts', 'scripts/run/run.ts'],
  ]);
  expect(tooLong(planted)).toEqual(['posts/src/e.ts', 'posts/src/main.ts']);
});
