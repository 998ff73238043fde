// The documents as a reader meets them: each link leads somewhere, and the README stays a face.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { root } from '../parts.ts';

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
