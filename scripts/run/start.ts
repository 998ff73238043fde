// `npm start`: runs all parts on this machine until Ctrl-C. See README.md for its options and commands.
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { printable } from '@blog/common/core/printable.ts';
import { lockData, whyDenied } from '@blog/common/run/data.ts';
import { isPart, PARTS } from '@blog/common/run/parts.ts';
import { filesIn } from '../data/data-folder.ts';
import { listen } from '../lib/control.ts';
import { decidedSettings, type Options, portsOf, specOf } from '../lib/part-process.ts';
import { whyTaken } from '../lib/port-use.ts';
import { INVALID_SETTING, supervise } from '../lib/supervisor.ts';
import { dataDirOf, dataOption, optionsOrUsage } from '../lib/usage.ts';
import { createCommands } from './commands.ts';
import { createPrinter } from './output.ts';

/** The deadline for a part to answer or end; after it, the part is listed as not ready. */
const GREET_WITHIN_MS = 15_000;

process.stdout.on('error', () => {}); // after the terminal was closed, children still have to be stopped

function fail(message: string, code = 1): never {
  console.error(message);
  process.exit(code);
}

const options: Options & { without: string[] } = optionsOrUsage(() => {
  const { values } = parseArgs({
    options: {
      without: { type: 'string', multiple: true, default: [] },
      port: { type: 'string', multiple: true, default: [] },
      data: dataOption,
      production: { type: 'boolean', default: false },
    },
  });
  const without = values.without.flatMap((names) => names.split(','));
  const unknown = without.find((name) => !isPart(name));
  if (unknown !== undefined) throw new Error(`--without ${unknown}: the parts are ${PARTS.join(', ')}`);
  return { without, ports: portsOf(values.port), dataDir: dataDirOf(values.data), production: values.production };
}, 'Usage: npm start -- [--without PART] [--port PART=NUMBER] [--data DIR] [--production]');
for (const [name, instead] of decidedSettings) {
  if (process.env[name]) fail(`npm start does not take ${name} from the environment: ${instead}. Unset it.`, 2);
}
if (process.env.NODE_ENV === 'production' && !options.production) {
  fail('npm start does not take NODE_ENV=production from the environment: use --production. Unset it.', 2);
}
const printer = createPrinter(PARTS);
const settled = new Set(options.without); // parts that became ready, failed, or do not run
const notReady: string[] = []; // since the greeting
let greeted = false;
let stopping = false;
let unwatched = false; // warned once, because the reason is the same for every part

const parts = PARTS.map((name) =>
  supervise(specOf(name, options), {
    line: (line) => printer.line(name, line),
    note: (text) => printer.note(name, text),
    ready: () => settle(name),
    ended: () => settle(name),
    invalidSetting: () => {
      void stop(INVALID_SETTING, `${name} has an invalid setting (see above)`);
    },
    unwatched: (reason) => {
      if (!unwatched) console.log(`Edits do not restart the parts: ${reason}`);
      unwatched = true;
    },
  }),
);

const wanted = parts.filter((part) => !options.without.includes(part.name));

async function stop(code: number, why: string): Promise<void> {
  if (stopping) return;
  stopping = true;
  console.log(`\n${why}: stopping …`);
  await Promise.all(parts.map((part) => part.stop()));
  console.log(code === 0 ? 'Stopped. The data is kept; npm run reset deletes it.' : 'Stopped.');
  process.exit(code);
}

function settle(name: string): void {
  settled.add(name);
  const late = notReady.includes(name) && isReady(name);
  if (late) {
    notReady.splice(notReady.indexOf(name), 1);
    printer.note(name, `is ready now: ${addressOf(name)}`);
  }
  if (greeted || stopping || settled.size < PARTS.length) return;
  greeted = true;
  notReady.push(
    ...wanted.map((part) => part.name).filter((name) => !['ready', 'stopped'].includes(partOf(name)?.state ?? '')),
  );
  const seconds = (performance.now() / 1000).toFixed(1);
  const lines = [
    notReady.length === 0
      ? `Ready after ${seconds} s.`
      : `Ready after ${seconds} s, except for parts that did not start:`,
    ...notReady.map((name) => `  ${name.padEnd(12)} ${lastWordOf(name)}`),
    // The blog comes first here, though the parts are started in the other order.
    ...wanted
      .filter(({ name }) => isReady(name))
      .map(({ name }) => `  ${name.padEnd(12)} ${addressOf(name)}`)
      .reverse(),
    '',
    ...suggestions(),
    'Commands here, or in another terminal as npm run part -- COMMAND: stop, start, kill PART; status. Ctrl-C stops all.',
  ];
  console.log(`\n${lines.map((line) => `  ${line}`.trimEnd()).join('\n')}\n`);
}

const partOf = (name: string) => parts.find((part) => part.name === name)?.status();
const isReady = (name: string) => partOf(name)?.state === 'ready';

function lastWordOf(name: string): string {
  const part = partOf(name);
  const said = printable(part?.said || 'no output').slice(0, 200);
  return `${said} (${part?.state === 'starting' && part.restarts === 0 ? 'does not answer yet' : 'keeps restarting'})`;
}

/** A part's main address for a browser or curl. */
function addressOf(name: string): string {
  const origin = `http://localhost:${options.ports.get(name)}`;
  if (name === 'client') {
    const api = options.production ? '' : `; its API: ${origin}/docs`;
    return `${origin}   (the blog; its inner workings: ${origin}/system${api})`;
  }
  return origin + ({ posts: '/posts', query: '/posts', 'event-bus': '/events' }[name] ?? '');
}

/** Suggested experiments with the running parts. */
function suggestions(): string[] {
  const canEdit = isReady('posts') && !options.production && !unwatched;
  return [
    isReady('moderation') &&
      'Try: Write a comment with the word "orange". Type "stop moderation", comment again, then "start moderation".',
    isReady('event-bus') && 'Try: Type "kill event-bus" while you write.',
    canEdit && 'Try: Edit posts/src while you keep writing.',
  ].filter((line) => line !== false);
}

/** The reason why a part cannot be started now, if there is one. */
async function whyBlocked(name: string): Promise<string | undefined> {
  const port = options.ports.get(name) as number;
  const taken = await whyTaken(port);
  return taken && `${name} cannot listen on port ${port}: it is ${taken}.`;
}

const obey = createCommands(parts, whyBlocked);

/** Locks the data folder. False: another process has it. */
async function takeFolder(): Promise<boolean> {
  try {
    if (!lockData(options.dataDir, 'run')) return false;
    const denied = whyDenied(filesIn(options.dataDir));
    if (denied) throw new Error(denied);
    await listen(options.dataDir, obey);
    return true;
  } catch (error) {
    return fail(
      `The data cannot be used: ${(error as Error).message}. Change that, or name another folder: --data DIR`,
    );
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop(0, signal));

if (!(await takeFolder())) {
  fail(
    `Already running with the data in ${options.dataDir} (or it is being reset or restored). See npm run part -- status, or stop it with Ctrl-C there.`,
  );
}
for (const { name } of wanted) {
  const why = await whyBlocked(name);
  if (why) fail(`${why} Free it, or choose another: npm start -- --port ${name}=NUMBER`);
}
console.log(`Starting ${wanted.map((part) => part.name).join(', ')} (data in ${options.dataDir}) …\n`);
for (const part of wanted) part.start();
setTimeout(() => {
  for (const { name } of wanted) settle(name);
}, GREET_WITHIN_MS).unref();

createInterface({ input: process.stdin }).on('line', async (line) => {
  const command = line.trim().split(/\s+/);
  if (command[0]) console.log((await obey(command)).text);
});
process.stdin.on('error', () => {});
