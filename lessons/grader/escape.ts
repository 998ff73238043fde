// Text that a graded program has sent, made fit for a page: it decides neither markup nor the direction of the text.

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Control characters, and those that turn the direction of the text around or cannot be seen. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}]/gu;

/** One line of printable text, at most so long. */
export function printableLine(text: string, longest = 200): string {
  const line = text.toWellFormed().replace(/\s+/g, ' ').replace(HIDDEN, '�').trim();
  return line.length <= longest ? line : `${line.slice(0, longest - 1).toWellFormed()}…`;
}

/** Printable text as HTML or SVG text, or as the value of an attribute. */
export const escapeText = (text: string, longest?: number): string =>
  printableLine(text, longest).replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign);
