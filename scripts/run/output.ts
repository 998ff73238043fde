// Formats the output of all parts for people: every line names its part.
import { stripVTControlCharacters, styleText } from 'node:util';
import { printable } from '@blog/common/core/printable.ts';
import { partOf } from '../lib/copies.ts';
import type { LogRecord } from '../lib/supervisor.ts';

const colours = ['magenta', 'blue', 'green', 'cyan', 'yellow', 'gray'] as const;
const levels: Record<number, string> = { 40: 'WARN', 50: 'ERROR', 60: 'FATAL' };
const unsaid = new Set(['level', 'time', 'pid', 'hostname', 'service', 'msg', 'err']);

type Style = Parameters<typeof styleText>[0];
const paint = (style: Style, text: string) => styleText(style, text, { stream: process.stdout }); // respects NO_COLOR

/** Prints lines of the named processes, aligned, each part in its own colour. */
export function createPrinter(names: string[]) {
  const parts = [...new Set(names.map(partOf))];
  const width = Math.max(...names.map((name) => name.length));
  const print = (name: string, text: string, style?: Style) => {
    const colour = colours[parts.indexOf(partOf(name)) % colours.length] ?? 'white';
    const prefix = paint(colour, `${name.padEnd(width)} |`);
    for (const line of text.split('\n')) process.stdout.write(`${prefix} ${style ? paint(style, line) : line}\n`);
  };
  return {
    /** Prints a line of the part itself: a log record, or any text. */
    line: (name: string, line: string | LogRecord) =>
      print(name, typeof line === 'string' ? printable(stripVTControlCharacters(line)) : format(line)),
    /** Prints a remark of the runner about a part. */
    note: (name: string, text: string) => print(name, text, 'bold'),
  };
}

/** Formats a log record: its time, its level if that is a warning or worse, its message and its fields. */
export function format(record: LogRecord): string {
  const time = new Date(record.time).toTimeString().slice(0, 8);
  const level = levels[record.level];
  const fields = Object.entries(record)
    .filter(([field]) => !unsaid.has(field))
    .map(([field, value]) => paint('dim', ` ${printable(field)}=`) + shown(value));
  const error = record.err as { stack?: string; message?: string } | undefined;
  const text = `${paint('dim', time)} ${level ? `${paint(record.level >= 50 ? 'red' : 'yellow', level)} ` : ''}${shown(record.msg ?? '')}${fields.join('')}`;
  if (!error) return text;
  const stack = String(error.stack ?? shown(error.message ?? error));
  return [text, ...stack.split('\n').map(printable)].join('\n');
}

const shown = (value: unknown) => printable(typeof value === 'string' ? value : JSON.stringify(value));
