// Runs all parts as real processes, on their own ports and data, independently of `npm start`.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { PARTS, SERVICES, SIGN_IN_PORTS } from '../../common/src/run/parts.ts';
import { ask } from '../../scripts/lib/control.ts';
import { copyNames, folderOf, freeLayout, partOf, portAbove } from '../../scripts/lib/copies.ts';
import { findNats } from '../../scripts/lib/nats.ts';
import { root, specOf } from '../../scripts/lib/part-process.ts';
import { answers, freePorts } from '../../scripts/lib/port-use.ts';
import { get, post, until } from './http.ts';

/** A free port for each part. */
async function freePlaces(): Promise<Record<string, number>> {
  const names = [...PARTS, ...Object.keys(SIGN_IN_PORTS)];
  const numbers = await freePorts(names.length);
  return Object.fromEntries(names.map((name, i) => [name, numbers[i] as number]));
}

export type Subscription = {
  name: string;
  kind: string;
  state: string;
  lag: number;
  lastError: string | null;
  nextAttempt: string | null;
  replay: object | null;
};
export type System = Awaited<ReturnType<typeof startSystem>>;

/** Starts a process that ends when the tests do, however they end. */
function launch(file: string, args: string[], env: NodeJS.ProcessEnv = {}) {
  const endWithParent = pathToFileURL(join(root, 'scripts', 'lib', 'end-with-parent.ts')).href;
  const child = fork(join(root, file), args, {
    env: { ...process.env, NO_COLOR: '1', ...env },
    execArgv: ['--import', endWithParent],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data) => {
      output += data;
      if (process.env.E2E_LOG) process.stderr.write(data);
    });
  }
  return { child, output: () => output };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Sends SIGTERM; resolves to the exit code, or null if a signal ended it. */
async function end(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  await closed;
  return child.exitCode;
}

/**
 * Starts a single foreign part, such as `bench/naive/query.ts`, and waits until it listens. Throws if it ends instead.
 */
export async function startProcess(file: string, env: NodeJS.ProcessEnv) {
  const { child, output } = launch(file, [], env);
  let ended = false;
  child.once('close', () => {
    ended = true;
  });
  await until(`${file} listens or ends`, () => ended || output().includes('listening'));
  if (ended) throw new Error(`${file} ended\n${output()}`);
  return { pid: child.pid as number, output, stop: () => end(child) };
}

/**
 * Runs `scripts/run/start.ts` with these options (`--production`, `--without`, `moderation`, …) and waits until every part
 * that it starts is ready and has heard from the bus. The data is in a new folder, or in that of `--data`, and is
 * deleted at the end. With `--copies 2` each server is `posts-0` and `posts-1`, and `posts` is the balancer before them.
 */
export async function startSystem(...options: string[]) {
  const given = options.indexOf('--data');
  const dataDir = given < 0 ? mkdtempSync(join(tmpdir(), 'blog e2e ')) : (options[given + 1] as string);
  const count = options.includes('--copies') ? Number(options[options.indexOf('--copies') + 1]) : 1;
  const ports = count > 1 ? await freeLayout(count) : await freePlaces();
  const portOf = (name: string) => portAbove(ports[partOf(name)] as number, name);
  const url = (name: string) => `http://127.0.0.1:${portOf(name)}`;
  const moved = Object.entries(ports).flatMap(([name, port]) => ['--port', `${name}=${port}`]);
  const runner = launch('scripts/run/start.ts', ['--data', dataDir, ...moved, ...options]);
  /** The number of copies that run of the parts that were scaled. */
  const scaled = new Map<string, number>();
  /** The names of a part's processes: a bus has copies only on a quorum, the client never. */
  const copiesOf = (part: string): string[] => {
    const alone = part === 'client' || (part === 'event-bus' && 'missing' in findNats());
    // Another bus has no routes by which it could be asked.
    if (part === 'event-bus' && options.includes('--bus')) return [];
    return options.includes(part) ? [] : copyNames(part, alone ? 1 : count).slice(0, scaled.get(part));
  };
  const wanted = [...PARTS.flatMap(copiesOf), ...(options.includes('--login') ? ['auth'] : [])];
  const services = () => SERVICES.flatMap(copiesOf);

  /** Runs `npm run part -- stop posts` or another command; returns its output. */
  async function part(command: string): Promise<string> {
    const answer = await ask(dataDir, command.split(' '));
    if (answer?.code !== 0) throw new Error(`${command}: ${answer?.text}\n${runner.output()}`);
    return answer.text;
  }

  async function ready(name: string): Promise<void> {
    let nudged = false;
    await until(`${name} is ready`, async () => {
      if (runner.child.exitCode !== null) throw new Error(`the runner ended\n${runner.output()}`);
      const { status, body } = await get(`${url(name)}/readyz`);
      // Without a bus a new database cannot know the log's head: it answers, and is not ready.
      if (status !== 200) return copiesOf('event-bus').length === 0 && Array.isArray(body?.degraded);
      if (body.degraded.length === 0 || !services().includes(name) || copiesOf('event-bus').length === 0) return true;
      if (!nudged) await nudge(name);
      nudged = true;
      return false;
    });
  }

  /** Makes the bus retry, or ask, a part now instead of in some seconds; not a paused one. */
  async function nudge(name: string): Promise<void> {
    const subscription = (await subscriptions()).find((one) => one.name === name);
    if (subscription?.state !== 'paused') await post(`${url('event-bus')}/subscriptions/${name}/resume`);
  }

  const head = async () => (await get(`${url('event-bus')}/events?limit=1`)).headers.get('event-head') ?? '';
  /** The subscriptions, but for those of copies that were scaled in. */
  async function subscriptions(): Promise<Subscription[]> {
    const all: Subscription[] = (await get(`${url('event-bus')}/subscriptions`)).body;
    return all.filter(({ name }) => !scaled.has(partOf(name)) || copiesOf(partOf(name)).includes(name));
  }

  /**
   * Checks a subscriber's position. Services are asked themselves, because the bus's copy of their checkpoints is only
   * a cache.
   */
  async function hasReached({ name, kind, state, lag, replay }: Subscription, place: string): Promise<boolean> {
    if (state !== 'live' || lag > 0 || replay) return false;
    const { checkpoint } = (await get(`${url(name)}/events`)).body ?? {};
    // A part that was just swapped is plain until the bus has asked again.
    if (checkpoint === undefined) return kind === 'plain';
    return checkpoint === place || place.startsWith('0-');
  }

  const fileOf = (name: string) => join(folderOf(dataDir, name), `${partOf(name)}.db`);

  /** Committed rows of a part's database, whether the part runs or not. */
  function rows(name: string, sql: string): Record<string, SQLOutputValue>[] {
    const db = new DatabaseSync(fileOf(name), { readOnly: true });
    try {
      return db.prepare(sql).all();
    } finally {
      db.close();
    }
  }
  const isEmpty = (name: string, table: string) => rows(name, `SELECT 1 FROM ${table} LIMIT 1`).length === 0;

  /** Deletes the database of a stopped part. */
  function deleteDatabase(name: string): void {
    for (const suffix of ['', '-wal', '-shm']) rmSync(fileOf(name) + suffix, { force: true });
  }

  async function startPart(name: string): Promise<void> {
    await part(`start ${name}`);
    await ready(name);
  }

  /** Stops a part and runs it outside of the runner with more settings. Resolves once it listens, or has ended already. */
  async function runApart(name: string, settings: NodeJS.ProcessEnv) {
    await part(`stop ${name}`);
    const production = options.includes('--production');
    const { env } = specOf(name, { dataDir, production, ports: new Map(Object.entries(ports)) });
    const { child, output } = launch(join(partOf(name), 'src', 'main.ts'), [], { ...env, ...settings });
    const exit = once(child, 'exit');
    const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
    await until(`${name} listens`, async () => hasEnded() || (await get(`${url(name)}/healthz`)).status === 200);
    return { exit, output, end: () => end(child) };
  }

  const forget = () => rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });

  /** The process ids of the parts, by name. */
  async function pids(): Promise<Map<string, number>> {
    const table = (await ask(dataDir, ['status']))?.text ?? '';
    const rows = table.matchAll(/^(\S+) +(?:ready|starting) +(\d+)/gm);
    return new Map(Array.from(rows, ([, name = '', pid]) => [name, Number(pid)]));
  }

  const ended: Promise<never> = once(runner.child, 'exit').then(() => {
    throw new Error(`the runner ended\n${runner.output()}`);
  });
  ended.catch(() => {}); // later an end is expected
  await Promise.race([Promise.all(wanted.map(ready)), ended]).catch(async (error) => {
    await end(runner.child);
    forget();
    throw error;
  });

  return {
    dataDir,
    ports,
    portOf,
    fileOf,
    copiesOf,
    pids,
    url,
    part,
    ready,
    head,
    subscriptions,
    rows,
    output: runner.output,
    /** Rejects when the runner ends. */
    ended,

    /** The whole log. */
    log: async (): Promise<{ position: number; source: string; id: string; type: string; subject: string }[]> =>
      (await get(`${url('event-bus')}/events`)).body,

    /** Kills a part's process; resolves once the runner has restarted it. */
    async killPart(name: string): Promise<void> {
      await part(`kill ${name}`);
      await ready(name);
    },

    startPart,

    /** Runs so many copies of each service, of those that were started. A further copy begins without a database. */
    async scale(copies: number): Promise<void> {
      const before = services();
      for (const part of SERVICES) scaled.set(part, copies);
      const after = services();
      const gone = before.filter((name) => !after.includes(name));
      const added = after.filter((name) => !before.includes(name));
      await Promise.all(gone.map((name) => part(`stop ${name}`)));
      for (const name of gone) deleteDatabase(name);
      await Promise.all(added.map(startPart));
    },

    runApart,

    /**
     * Stops a part and runs it outside of the runner with this failpoint, at which it dies and stays dead. Resolves
     * once it listens, or is dead already. The returned function waits for its death.
     */
    async runTo(point: string, name: string): Promise<() => Promise<void>> {
      const { exit, output } = await runApart(name, { FAILPOINT: point });
      return async () => {
        const [, signal] = await exit;
        if (signal !== 'SIGKILL') throw new Error(`${name} did not die at ${point}\n${output()}`);
      };
    },

    deleteDatabase,

    /** Deletes all that a stopped node of NATS has stored. */
    wipeNode: (name: string) => rmSync(join(dataDir, name, 'jetstream'), { recursive: true, force: true }),

    /** Overwrites the middle of each file in which a stopped node of NATS has messages. */
    damageNode(name: string): void {
      const folder = join(dataDir, name, 'jetstream');
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.blk'));
      for (const file of files.map((file) => join(folder, file))) {
        const bytes = readFileSync(file);
        bytes.fill(0xff, Math.floor(bytes.length / 3), Math.floor(bytes.length / 2));
        writeFileSync(file, bytes);
      }
      if (files.length === 0) throw new Error(`${name} has stored nothing`);
    },

    /** Waits until all writes have had all their effects: every subscriber at the head, every outbox empty, no comment unjudged. */
    async quiet(within = 120_000): Promise<void> {
      await until(
        'quiet',
        async () => {
          const place = await head();
          for (const subscription of await subscriptions()) if (!(await hasReached(subscription, place))) return false;
          const publishers = services().filter((name) => partOf(name) !== 'query');
          if (!publishers.every((name) => isEmpty(name, 'outbox'))) return false;
          // The share of a copy that is away is judged by another one after some seconds.
          return copiesOf('moderation').every((name) => isEmpty(name, 'notes')) && (await head()) === place;
        },
        within,
      );
    },

    /**
     * Sends SIGTERM to the runner; throws if any of its processes is left. Deletes the data, unless it is to be kept.
     */
    async stop({ keep = false } = {}): Promise<void> {
      const running = await pids();
      await end(runner.child);
      const left = [...running.values()].filter(isAlive);
      for (const name of wanted) if (await answers(portOf(name), '127.0.0.1')) left.push(portOf(name));
      if (!keep) forget();
      if (runner.child.exitCode !== 0 || left.length > 0)
        throw new Error(`ended with ${runner.child.exitCode}, left running: ${left}\n${runner.output()}`);
    },
  };
}
