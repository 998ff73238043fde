// The marks in the page's document: what the page knows at once, without a request.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { PreviewServer } from 'vite';

type Settings = { AUTH_URL?: string | undefined; BUS_LESSON?: string | undefined };

export const hasMarks = ({ AUTH_URL, BUS_LESSON }: Settings): boolean => (AUTH_URL || BUS_LESSON) !== undefined;

/** Marks the document, so that the page offers sign-in, and so that it tells about a bus that is not ours. */
export function withMarks(html: string, { AUTH_URL, BUS_LESSON }: Settings): string {
  const marks = [
    AUTH_URL === undefined ? '' : '<meta name="sign-in" content="/login">',
    BUS_LESSON === undefined ? '' : `<meta name="lesson" content="${escaped(BUS_LESSON)}">`,
  ];
  return html.replace('<title>', (title) => marks.join('') + title);
}

const escaped = (text: string) => text.replace(/[&"<>]/g, (character) => `&#${character.charCodeAt(0)};`);

/** The built document, marked. Vite's preview would send the file, with validators that know nothing of settings. */
export const builtPage = ({ config: { root, build } }: PreviewServer, settings: Settings): string =>
  withMarks(readFileSync(resolve(root, build.outDir, 'index.html'), 'utf8'), settings);
