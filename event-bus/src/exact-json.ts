// The check that the log keeps JSON as it was published.
import { fieldProblem } from '@blog/common/core/problem.ts';

/** Strings (names of members if a colon follows), numbers, and the ends of objects and arrays. */
const TOKEN = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|-?\d[\d.eE+-]*|[{}[\]]/g;

/**
 * Refuses JSON that would not come out as it went in: a number that a double does not hold exactly (RFC 8259 §6), and a
 * member that is there twice (§4), of which a parser keeps one.
 * @param value what `text` was parsed into
 * @throws Problem 400 that names the field
 */
export function assertExact(text: string, value: unknown): void {
  // Nearly always: what JavaScript has written comes out as it went in.
  if (JSON.stringify(value) === text) return;
  const levels: { name: string; names: Set<string> }[] = [];
  const refuse = (rule: string) => {
    const path = levels.map(({ name }) => name).filter(Boolean);
    throw fieldProblem(400, path.join('.').slice(0, 200) || 'body', rule);
  };
  for (const [token, string, colon] of text.matchAll(TOKEN)) {
    const level = levels.at(-1);
    if (token === '{' || token === '[') levels.push({ name: '', names: new Set() });
    else if (token === '}' || token === ']') levels.pop();
    else if (string && colon && level) {
      level.name = JSON.parse(string);
      if (level.names.has(level.name)) refuse('must be there only once');
      level.names.add(level.name);
    } else if (!string && !isExact(token)) refuse('must be a number that a double holds exactly: send it as a string');
  }
}

/** A double holds every number of so few digits. (It holds -0, but JavaScript writes it as 0.) */
const SHORT = /^(?!-0[.0]*$)-?[\d.]{1,15}$/;

/** Either as JavaScript writes it, or with the 17 digits that C's `%.17g` gives every double. */
function isExact(number: string): boolean {
  if (SHORT.test(number)) return true;
  const value = Number(number);
  return !Object.is(value, -0) && [`${value}`, value.toPrecision(17)].map(digitsOf).includes(digitsOf(number));
}

/** The significant digits: two texts with the same ones, each the nearest to the other, are one number. */
const digitsOf = (number: string) => number.replace(/e.*|\D/gi, '').replace(/^0+|0+$/g, '');
