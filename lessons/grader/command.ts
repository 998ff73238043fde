// The command of a graded program: its words, as a shell would split them, but without a shell.
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';

/**
 * Splits a command into words; quotes and backslashes work as in a shell. The program runs in another working directory, so
 * words that name existing files become absolute.
 * @throws Error for a command that is empty, has an open quote, or needs a shell
 */
export function parseCommand(command: string): string[] {
  const words = splitWords(command);
  if (words.length === 0) throw new Error('The command is empty.');
  return words.map((word, i) => {
    const isPath = word.includes('/') ? existsSync(word) : i > 0 && statSync(word, { throwIfNoEntry: false })?.isFile();
    return isPath ? resolve(word) : word;
  });
}

/** A program's file, by its ending, or a path without one. */
const PROGRAM = /^[^-\s:=][^\s:=]*\.(py|[cm]?js|[cm]?ts|jar|java|go|rb|php|pl|lua|exs?|sh|bash)$|^\.{1,2}\/[\w/-]+$/i;

/** The first word of a command that looks like a program's file, and is none from this folder. */
export const missingFile = (words: string[]): string | undefined =>
  words.find((word) => PROGRAM.test(word) && !existsSync(word));

function splitWords(command: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  const pattern = /\s+|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)|(.)/gs;
  for (const [, single, double, escaped, plain, stray] of command.matchAll(pattern)) {
    if (stray !== undefined) throw new Error(`The command has a ${stray} that does not end: ${command}`);
    if (plain !== undefined && /^([|;<>]|&&|&$)/.test(plain))
      throw new Error(`The command is started without a shell, so ${plain} has no meaning. Use: sh -c '…'`);
    const piece = single ?? double?.replace(/\\(["\\$`])/g, '$1') ?? escaped ?? plain;
    if (piece !== undefined) word = (word ?? '') + piece;
    else if (word !== undefined) {
      words.push(word);
      word = undefined;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}
