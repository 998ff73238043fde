// `npm run part -- stop moderation`: sends a command to the runner from another terminal. `npm run part -- tables
// posts` reads a part's database directly, without a runner.
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { printable } from '@blog/common/core/printable.ts';
import { fileOf } from '@blog/common/run/data.ts';
import { isPart } from '@blog/common/run/parts.ts';
import { NOT_COPIED, withData } from '../data/data-folder.ts';
import { showTables } from '../data/tables.ts';
import { type Answer, ask } from '../lib/control.ts';
import { folderOf, ordinalOf, partOf } from '../lib/copies.ts';
import { dataDirOf, dataOption, optionsOrUsage } from '../lib/usage.ts';

const USAGE = `Usage: npm run part -- COMMAND [--data DIR]
Commands: stop PART, start PART, kill PART, status, tables PART; with npm start -- --bus also wipe PART`;
const VERBS = ['stop', 'start', 'kill', 'wipe', 'status', 'tables'];

const { command, dataDir } = optionsOrUsage(() => {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { data: dataOption } });
  const [verb = ''] = positionals;
  if (!VERBS.includes(verb)) throw new Error(verb ? `There is no command "${printable(verb)}".` : 'Name a command.');
  return { command: positionals, dataDir: dataDirOf(values.data) };
}, USAGE);
const [verb = '', name = ''] = command;

/** The newest rows of a part's tables; undefined if there is no database. */
function tables(): Answer | undefined {
  const known = [...withData, NOT_COPIED];
  if (!known.includes(partOf(name))) {
    return { code: 2, text: `There is no part "${name}" with tables. Those that have some: ${known.join(', ')}` };
  }
  const file = fileOf(folderOf(dataDir, name), partOf(name));
  if (!existsSync(file)) return undefined;
  try {
    return { code: 0, text: showTables(file) };
  } catch (error) {
    return { code: 1, text: `${file} cannot be read: ${(error as Error).message}` };
  }
}

/** The same command for a cluster, which `skaffold dev` runs without a runner on this machine. */
function inCluster(): string {
  const part = isPart(partOf(name)) || name === 'auth' ? partOf(name) : 'posts';
  const pod = ordinalOf(name) === undefined ? `-l app.kubernetes.io/name=${part}` : name;
  const kind = part === 'client' ? 'deployment' : 'statefulset';
  const lines: Record<string, string> = {
    stop: `scale ${kind}/${part} --replicas=0`,
    start: `scale ${kind}/${part} --replicas=1`,
    kill: `delete pod ${pod} --force`,
    tables: `exec ${part}-${ordinalOf(name) ?? 0} -- node /app/scripts/data/tables.ts /data/${part}.db`,
  };
  return `kubectl -n blog ${lines[verb] ?? 'get pods'}`;
}

const answer = verb === 'tables' ? tables() : await ask(dataDir, command);
const { code, text } = answer ?? { code: 1, text: 'Nothing is running here. Start it with: npm start' };
const lines = text.split('\n').map(printable);
if (!answer) lines.push(`In Kubernetes (skaffold dev) it is: ${inCluster()}`);
console[code === 0 ? 'log' : 'error'](lines.join('\n'));
process.exitCode = code;
