// The commands of a document and their expected answers, as they are typed and compared.
import { PARTS } from '../../common/src/run/parts.ts';
import { portsOf } from '../../scripts/lib/part-process.ts';
import { until } from './http.ts';
import type { Terminal } from './terminal.ts';

export type Step = { command: string; answer?: string };

/** The steps of a document: each `sh` block is typed; a block of another kind right after it is its expected answer. */
export function stepsOf(markdown: string): Step[] {
  const steps: Step[] = [];
  let end = 0;
  for (const match of markdown.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)) {
    const [block, language, text = ''] = match;
    const last = steps.at(-1);
    if (language === 'sh') steps.push({ command: text.trim() });
    else if (last && markdown.slice(end, match.index).trim() === '') last.answer = text;
    end = match.index + block.length;
  }
  return steps;
}

/** Matches a line that only reads. */
const onlyAsks = (line: string) => /^(curl (?![\s\S]* -X )|cat |grep |lag |seen |\[ |echo \$)/.test(line);

/**
 * Types a line and returns its output, normalized. A line that only reads is repeated until the expected answer comes;
 * after one that ends with `&` the answer may come later. After a minute the last output is returned.
 */
export async function answerOf(terminal: Terminal, line: string, wanted: string, back = (text: string) => text) {
  const { printed, since } = await terminal.type(line);
  let seen = alike(back(printed));
  const matches = async () => {
    if (onlyAsks(line)) seen = alike(back((await terminal.type(line)).printed));
    else if (line.endsWith('&')) seen = alike(back(since()));
    return seen === wanted;
  };
  if (seen !== wanted && (onlyAsks(line) || line.endsWith('&'))) await until(line, matches, 60_000).catch(() => {});
  return seen;
}

/** Normalizes ids, times, positions, and the shell's messages about jobs, which differ from run to run. */
export const alike = (text: string) =>
  text
    .replace(/^(\[\d+\]|.*bash: line \d+:).*(Terminated|Stopped).*$/gm, '')
    .trim()
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(-\d+)?/g, 'ID')
    .replace(/^id: [0-9a-f]{32}-\d+$/gm, 'id: ID')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/"position":\d+/g, '"position":N')
    .replace(/"checkpoint":"[^"]*"/g, '"checkpoint":"C"')
    .replace(/[ \t]+/g, ' ')
    .replace(/^ /gm, ''); // some versions of wc indent

/** Replaces the default ports (and these) by others, and back: the only change made to a line before it is typed. */
export function movePorts(ports: Record<string, number>, more: Record<string, number> = {}) {
  const defaults = { ...Object.fromEntries(portsOf([])), ...more };
  const pairs = [...PARTS, ...Object.keys(more)].map((name) => [`${defaults[name]}`, `${ports[name]}`] as const);
  const replace = (text: string, pairs: (readonly [string, string])[]) => {
    const to = new Map(pairs);
    return text.replace(
      new RegExp(`(?<![\\w.])(${[...to.keys()].join('|')})(?!\\w)`, 'g'),
      (port) => to.get(port) ?? port,
    );
  };
  return {
    there: (text: string) => replace(text, pairs),
    back: (text: string) =>
      replace(
        text,
        pairs.map(([from, to]) => [to, from]),
      ),
  };
}
