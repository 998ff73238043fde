// The documents as a reader meets them: each link leads somewhere, and the README stays a face.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { root } from '../lib/part-process.ts';

const documents = globSync('**/*.md', { cwd: root, exclude: ['**/node_modules', '**/.*'] }).map((file) =>
  file.replaceAll('\\', '/'),
);
const textOf = (file: string) => readFileSync(file, 'utf8').replace(/^```[\s\S]*?^```$/gm, '');

/** GitHub's addresses of a document's headings. */
function anchorsOf(file: string): string[] {
  const headings = textOf(file).match(/^#+ .*$/gm) ?? [];
  const words = headings.map((heading) => heading.replace(/^#+ /, '').replace(/\[(.*?)\]\(.*?\)/g, '$1'));
  const slugs = words.map((word) => word.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, ''));
  return slugs.map((slug) => slug.replaceAll(' ', '-'));
}

function leadsNowhere(file: string, link: string): boolean {
  if (/^https?:/.test(link)) return false;
  const [path = '', anchor] = link.split('#');
  const target = path ? join(root, dirname(file), path) : join(root, file);
  return !existsSync(target) || (anchor !== undefined && !anchorsOf(target).includes(anchor));
}

test('the README has at most 250 lines: what it does not need to say first is in docs/', () => {
  expect(readFileSync(join(root, 'README.md'), 'utf8').split('\n').length).toBeLessThanOrEqual(251);
});

test('there are documents', () => {
  expect(documents).toEqual(expect.arrayContaining(['README.md', 'docs/experiments.md', 'posts/README.md']));
});

test.each(documents)('every link in %s leads to a file, and to a heading in it', (file) => {
  const links = [...textOf(join(root, file)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  expect(links.filter((link) => leadsNowhere(file, link))).toEqual([]);
});

test('every program that a document runs by its path from the root is there', () => {
  const lines = documents.flatMap((file) => [
    ...readFileSync(join(root, file), 'utf8').matchAll(/^```\n([\s\S]*?)^```$/gm),
  ]);
  const run = /^(?:\w+=\S+ )*(?:python3|go run|java|(?:npx )?node) (\w\S+)/gm;
  const paths = lines.flatMap(([, block = '']) => [...block.matchAll(run)].map(([, path = '']) => path));
  expect(paths).toContain('lessons/other-languages/moderation.py');
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

describe('docs/patterns.md', () => {
  const [, ...patterns] = readFileSync(join(root, 'docs/patterns.md'), 'utf8').split(/^## /m);

  test('has the patterns that the field names', () => expect(patterns.length).toBeGreaterThanOrEqual(16));

  test.each(patterns.map((text) => [text.split('\n')[0] ?? '', text] as const))(
    '%s: where it stands, how to see it, and when not to use it',
    (_, text) => {
      const [, where = '', see = '', not] = text.split(/^- \*\*/m);
      expect(where).toMatch(/^Where:[\s\S]*\]\(\.\.\/[\w./-]+\.(ts|conf|yaml)\)/);
      expect(see).toMatch(/^See it:[\s\S]*(`[a-zA-Z].*`|\.md[)#])/);
      expect(not).toMatch(/^Not when\*\* /);
    },
  );
});

describe('docs/change-it.md', () => {
  const text = readFileSync(join(root, 'docs/change-it.md'), 'utf8');
  const commands = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, lines = '']) =>
    lines.trim().split('\n'),
  );

  test('names only files that exist', () => {
    const labels = [...text.matchAll(/\[([\w./-]+\.\w+)\]\(([^)#]+)[^)]*\)/g)];
    expect(labels.length).toBeGreaterThan(30);
    for (const [, label = '', link = ''] of labels) expect(join(root, label)).toBe(join(root, 'docs', link));
  });

  test('has commands that npm knows', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(commands).toContain('npm test');
    for (const command of commands) {
      const [, name] = /^npm (?:run )?([\w:]+)( -- .*)?$/.exec(command) ?? [];
      expect([command, Object.keys(scripts)]).toEqual([command, expect.arrayContaining([name])]);
    }
  });

  const selections = commands.filter((command) => command.includes('--selectProjects'));
  test.each(selections)('selects tests that exist: %s', (command) => {
    const [, project = '', pattern = ''] = /--selectProjects (\S+)(?: --testPathPatterns (\S+))?$/.exec(command) ?? [];
    const files = globSync(`${project}/**/*.test.{ts,tsx}`, { cwd: root });
    expect(files.filter((file) => new RegExp(pattern).test(file)).length).toBeGreaterThan(0);
  });

  test('names what the code has: the lists of fields, the handlers, the list of migrations', () => {
    const has: [string, string][] = [
      ['posts/src/posts.ts', 'const FIELDS ='],
      ['posts/src/posts.ts', 'export const newPost ='],
      ['comments/src/comments.ts', 'const FIELDS ='],
      ['query/src/read-model.ts', 'export const POST ='],
      ['query/src/read-model.ts', 'export const COMMENT ='],
      ['posts/src/posts.ts', 'export const handlers'],
      ['posts/src/schema.ts', 'export const migrations = ['],
    ];
    for (const [file, code] of has) expect(readFileSync(join(root, file), 'utf8')).toContain(code);
  });
});
