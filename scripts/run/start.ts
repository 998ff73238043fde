// `npm start`: runs all parts on this machine until Ctrl-C. See README.md for its options and commands.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { filesOf, lockData, whyDenied } from '@blog/common/run/data.ts';
import { isPart, PARTS, SERVERS } from '@blog/common/run/parts.ts';
import { filesIn, LOG_FOLDER } from '../data/data-folder.ts';
import { adoptLongestLog, shareFirstLog } from '../data/logs.ts';
import { listen } from '../lib/control.ts';
import { folderOf, natsPorts, partOf } from '../lib/copies.ts';
import { describeNodes, findNats, natsUrlOf, writeNodes } from '../lib/nats.ts';
import { findOtherBus, lessonOf, type OtherBus } from '../lib/other-bus.ts';
import {
  balancerOf,
  busFolder,
  decidedSettings,
  nodeSpec,
  type Options,
  portOf,
  portsOf,
  processNames,
  signInParts,
  signInSettings,
  specOf,
} from '../lib/part-process.ts';
import { whyTaken } from '../lib/port-use.ts';
import { INVALID_SETTING, type Part, type PartSpec, supervise } from '../lib/supervisor.ts';
import { dataDirOf, dataOption, optionsOrUsage } from '../lib/usage.ts';
import { createCommands } from './commands.ts';
import { createGreeting } from './greeting.ts';
import { createLogFiles } from './log-files.ts';
import { createPrinter } from './output.ts';

/** The deadline for a part to answer or end; after it, the part is listed as not ready. */
const GREET_WITHIN_MS = 15_000;

process.stdout.on('error', () => {}); // after the terminal was closed, children still have to be stopped

function fail(message: string, code = 1): never {
  console.error(message);
  process.exit(code);
}

/** More would only take memory. */
const MOST_COPIES = 5;
/** A quorum of three survives the loss of one. */
const NATS_NODES = 3;

const { without, count, logs, folder, ...given } = optionsOrUsage(() => {
  const { values } = parseArgs({
    options: {
      copies: { type: 'string', default: '1' },
      without: { type: 'string', multiple: true, default: [] },
      port: { type: 'string', multiple: true, default: [] },
      data: dataOption,
      logs: { type: 'boolean', default: false },
      production: { type: 'boolean', default: false },
      login: { type: 'boolean', default: false },
      bus: { type: 'string' },
    },
  });
  const without = values.without.flatMap((names) => names.split(','));
  const unknown = without.find((name) => !isPart(name));
  if (unknown !== undefined) throw new Error(`--without ${unknown}: the parts are ${PARTS.join(', ')}`);
  const count = Number(values.copies);
  if (!Number.isInteger(count) || count < 1 || count > MOST_COPIES) {
    throw new Error(`--copies ${values.copies}: expected a number from 1 to ${MOST_COPIES}`);
  }
  const ports = portsOf(values.port);
  return {
    without,
    count,
    logs: values.logs,
    ports,
    signIn: values.login ? signInSettings(ports) : undefined,
    dataDir: dataDirOf(values.data),
    production: values.production,
    folder: values.bus,
  };
}, 'Usage: npm start -- [--bus FOLDER] [--copies NUMBER] [--without PART] [--port PART=NUMBER] [--data DIR] [--login] [--logs] [--production]');
for (const [name, instead] of decidedSettings) {
  if (process.env[name]) fail(`npm start does not take ${name} from the environment: ${instead}. Unset it.`, 2);
}
if (process.env.NODE_ENV === 'production' && !given.production) {
  fail('npm start does not take NODE_ENV=production from the environment: use --production. Unset it.', 2);
}

/** The bus of `--bus`. Whatever does not go together with it is refused, in one line. */
function otherBus(): OtherBus | undefined {
  if (folder === undefined) return undefined;
  if (count > 1) fail('--bus and --copies do not go together: such a bus delivers to one copy of each service.', 2);
  if (without.includes('event-bus')) fail('--bus and --without event-bus do not go together: leave one out.', 2);
  if (process.env.BUS_TOKEN)
    fail('--bus does not go together with BUS_TOKEN, of which such a bus knows nothing. Unset it.', 2);
  try {
    return findOtherBus(folder);
  } catch (error) {
    return fail((error as Error).message, 2);
  }
}
const bus = otherBus();
/** The folder of the databases: that of the data, or with another bus one in it. */
const dataDir = bus ? join(given.dataDir, bus.data) : given.dataDir;

const copied = count > 1 ? SERVERS.filter((part) => !without.includes(part)) : [];
const wantsNats = bus ? bus.needsNats : copied.includes('event-bus');
// Step 8 resets a consumer, which older ones cannot.
const nats = wantsNats && !process.env.NATS_URL ? findNats(bus && [2, 14]) : undefined;
if (bus && nats && 'missing' in nats) fail(`${bus.name} needs NATS. ${nats.missing}`, 2);
const nodes =
  nats && 'program' in nats ? describeNodes(dataDir, natsPorts(given.ports.get('nats') as number, NATS_NODES)) : [];
const natsUrl = process.env.NATS_URL || natsUrlOf(nodes);
// A second copy of the bus needs the quorum.
const inCopies = copied.filter((part) => part !== 'event-bus' || natsUrl);
const options: Options = {
  ...given,
  dataDir,
  natsUrl,
  copies: new Map(inCopies.map((part) => [part, count])),
  ...(bus && { bus, lesson: lessonOf(bus) }),
};

/** In the order of the start. */
const specs: PartSpec[] = [
  ...nodes.map((node) => nodeSpec(node, (nats as { program: string }).program)),
  ...(options.signIn ? signInParts : []).map((name) => specOf(name, options)),
  ...PARTS.flatMap((part) => processNames(part, options)).map((name) => specOf(name, options)),
];
const balancer = balancerOf(options);
if (balancer) specs.unshift(balancer);

const printer = createPrinter(specs.map(({ name }) => name));
const logFolder = logs ? join(dataDir, LOG_FOLDER) : undefined;
const logFiles =
  logFolder === undefined
    ? undefined
    : createLogFiles(logFolder, (name, reason) => printer.note(name, `has no log file: ${reason}`));
const settled = new Set(without); // processes that became ready, failed, or do not run
let stopping = false;
let unwatched = false; // warned once, because the reason is the same for every part

const parts = specs.map((spec) => {
  const { name } = spec;
  return supervise(spec, {
    heard: (line) => logFiles?.write(name, line),
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
  });
});

const wanted = parts.filter((part) => !without.includes(part.name));
const greeting = createGreeting(wanted, options, logFolder);

async function stop(code: number, why: string): Promise<void> {
  if (stopping) return;
  stopping = true;
  console.log(`\n${why}: stopping …`);
  const isBehind = ({ name }: Part) => isPart(partOf(name));
  await Promise.all(parts.filter(isBehind).map((part) => part.stop()));
  // These last, because the others still use them while they end.
  await Promise.all(parts.map((part) => part.stop()));
  await logFiles?.end();
  console.log(code === 0 ? 'Stopped. The data is kept; npm run reset deletes it.' : 'Stopped.');
  process.exit(code);
}

function settle(name: string): void {
  settled.add(name);
  const late = greeting.nowReady(name);
  if (late) printer.note(name, late);
  if (stopping || settled.size < parts.length) return;
  greeting.print({ canEdit: !options.production && !unwatched });
}

/** The reason why a part cannot be started now, if there is one. */
async function whyBlocked(name: string): Promise<string | undefined> {
  for (const port of portsUsed(name)) {
    const taken = port > 65_535 ? 'too high' : await whyTaken(port);
    if (taken) return `${name} cannot listen on port ${port}: it is ${taken}.`;
  }
}

function portsUsed(name: string): number[] {
  const node = nodes.find((node) => node.name === name);
  if (node) return Object.values(node.ports);
  if (name === 'balancer') return inCopies.map((part) => options.ports.get(part) as number);
  return [portOf(name, options)];
}

/** Deletes a part's data. Beside another bus they are there to be lost. */
function wipe(name: string): void {
  for (const file of filesOf(dataDir, name)) rmSync(file, { force: true });
  if (name === 'event-bus') {
    rmSync(busFolder(dataDir), { recursive: true, force: true });
    mkdirSync(busFolder(dataDir));
  }
}

const obey = createCommands(parts, whyBlocked, bus && wipe);

/** Locks the data folder. False: another process has it. */
async function takeFolder(): Promise<boolean> {
  try {
    if (![...new Set([given.dataDir, dataDir])].every((folder) => lockData(folder, 'run'))) return false;
    if (bus) mkdirSync(busFolder(dataDir), { recursive: true });
    const denied = whyDenied(filesIn(dataDir));
    if (denied) throw new Error(denied);
    if (!without.includes('event-bus') && !bus) {
      const folders = processNames('event-bus', options).map((name) => folderOf(dataDir, name));
      if (!natsUrl) adoptLongestLog(dataDir);
      else shareFirstLog(dataDir, folders.slice(1));
    }
    await listen(given.dataDir, obey);
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
    `Already running with the data in ${given.dataDir} (or it is being reset or restored). See npm run part -- status, or stop it with Ctrl-C there.`,
  );
}
for (const { name } of wanted) {
  const why = await whyBlocked(name);
  const part = name === 'balancer' ? 'PART' : partOf(name);
  if (why) fail(`${why} Free it, or choose another: npm start -- --port ${part}=NUMBER`);
}
writeNodes(nodes);
console.log(`Starting ${wanted.map((part) => part.name).join(', ')} (data in ${dataDir}) …\n`);
if (nats && 'missing' in nats) console.log(`The bus runs once, because its copies need NATS. ${nats.missing}\n`);
for (const part of wanted) part.start();
setTimeout(() => {
  for (const { name } of wanted) settle(name);
}, GREET_WITHIN_MS).unref();

createInterface({ input: process.stdin }).on('line', async (line) => {
  const command = line.trim().split(/\s+/);
  if (command[0]) console.log((await obey(command)).text);
});
process.stdin.on('error', () => {});
