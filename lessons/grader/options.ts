// The command line of the grader.
import { existsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { PARTS, type Part } from './check.ts';
import { parseCommand } from './command.ts';

export const USAGE = `Usage: npm run grade -- --bus 'COMMAND' [--short] [--verbose] [--report FILE.html]
       npm run grade -- FOLDER        its bus.ts, posts.ts, comments.ts, query.ts and moderation.ts
--bus, --posts, --comments, --query, --moderation: the command that starts the program (several: each is graded)
--short: smaller runs; --verbose: shows the programs' output; --report: draws the first failure`;

export type Options = {
  commands: Partial<Record<Part, string[]>>;
  isShort: boolean;
  isVerbose: boolean;
  report?: string;
};

/** Parses the command line. @throws Error with the reason, for the usage below it */
export function parseOptions(args?: string[]): Options {
  const command = { type: 'string' } as const;
  const { values, positionals } = parsed({
    args,
    allowPositionals: true,
    options: {
      ...{ bus: command, posts: command, comments: command, query: command, moderation: command },
      ...{ short: { type: 'boolean', default: false }, verbose: { type: 'boolean', default: false } },
      report: command,
    },
  });
  const [folder, more] = positionals;
  if (more !== undefined) throw new Error(`One folder at a time; put a command in quotes: --bus 'python3 my_bus.py'.`);
  const commands: Options['commands'] = folder === undefined ? {} : commandsOf(folder);
  for (const part of PARTS) if (values[part] !== undefined) commands[part] = parseCommand(values[part]);
  if (Object.keys(commands).length === 0) throw new Error('Name a command or a folder to grade.');
  const { short: isShort, verbose: isVerbose, report } = values;
  if (report?.trim() === '') throw new Error('--report needs a file: --report FILE.html');
  // Known before the grade, which takes a while.
  if (report && !statSync(dirname(resolve(report)), { throwIfNoEntry: false })?.isDirectory())
    throw new Error(`There is no folder for ${report}.`);
  if (report && statSync(report, { throwIfNoEntry: false })?.isDirectory())
    throw new Error(`${report} is a folder: name a file.`);
  return { commands, isShort, isVerbose, report: report && resolve(report) };
}

/** `parseArgs` with reasons of our own. */
const parsed: typeof parseArgs = (config) => {
  try {
    return parseArgs(config);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const option = /--?[\w-]+/.exec(message)?.[0];
    if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') throw new Error(`There is no option ${option}.`);
    if (option === '--report') throw new Error('--report needs a file: --report FILE.html');
    if (/does not take/.test(message)) throw new Error(`${option} takes no value.`);
    throw new Error(`${option} needs a command: ${option} 'COMMAND'`);
  }
};

/** The commands of a step's folder. */
function commandsOf(folder: string): Options['commands'] {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`There is no folder ${folder}.`);
  const found = PARTS.filter((part) => existsSync(join(folder, `${part}.ts`)));
  if (found.length === 0) throw new Error(`${folder} has no bus.ts, posts.ts, comments.ts, query.ts or moderation.ts.`);
  return Object.fromEntries(found.map((part) => [part, ['node', resolve(folder, `${part}.ts`)]]));
}
