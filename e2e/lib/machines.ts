// Machines on a network of their own, made of network namespaces of Linux: processes run in them, and any of them can be cut
// off from the others, as by a pulled cable: what is sent is lost, and nothing says so.
import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { guardChild } from '../../scripts/lib/guard.ts';
import type { Answer, Sent } from './http.ts';

/** The address of a machine in the network. */
export const addressOf = (machine: number) => `10.77.0.${machine + 1}`;

/** Without root a namespace of users gives the right, where the system allows that. */
const isRoot = process.getuid?.() === 0;
const UNSHARE = isRoot ? ['--net'] : ['--net', '--user', '--map-root-user'];
const ENTER = isRoot ? ['--net'] : ['--net', '--user', '--preserve-credentials'];

const AGENT = join(import.meta.dirname, 'machine-agent.ts');

const inside = (pid: number, command: string[]) => ['-t', `${pid}`, ...ENTER, ...command];
const run = (pid: number, ...commands: string[]) =>
  execFileSync('nsenter', inside(pid, ['sh', '-ec', commands.join('\n')]), { stdio: 'pipe' });

/** Starts a process that keeps a new namespace, until this process ends, however it ends. */
async function keepNamespace(program: string, args: string[]): Promise<ChildProcess> {
  const keeper = spawn(program, [...args, 'sh', '-c', 'echo ready; exec cat'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const failed = once(keeper, 'exit').then(() => Promise.reject(new Error(`${program} ${args.join(' ')} fails`)));
  await Promise.race([once(keeper.stdout, 'data'), failed]);
  failed.catch(() => {}); // later an end is expected
  return keeper;
}

export type Machines = Exclude<Awaited<ReturnType<typeof startMachines>>, { missing: string }>;

/** Starts machines; where that is not possible, says why. */
export async function startMachines(count: number) {
  const keepers: ChildProcess[] = [];
  const children: ChildProcess[] = [];
  try {
    const hub = await keepNamespace('unshare', UNSHARE);
    keepers.push(hub);
    const network = hub.pid as number;
    run(network, 'ip link add switch type bridge', 'ip link set switch up');
    for (let machine = 0; machine < count; machine++) {
      const keeper = await keepNamespace('nsenter', inside(network, ['unshare', '--net']));
      keepers.push(keeper);
      const pid = keeper.pid as number;
      run(
        network,
        `ip link add m${machine} type veth peer name eth0 netns ${pid}`,
        `ip link set m${machine} master switch up`,
      );
      run(pid, `ip address add ${addressOf(machine)}/24 dev eth0`, 'ip link set eth0 up', 'ip link set lo up');
    }
  } catch (error) {
    for (const keeper of keepers) keeper.kill();
    return { missing: `There is no network to cut: ${(error as Error).message}` };
  }
  const [network = 0, ...pids] = keepers.map(({ pid }) => pid);

  /** Runs a program in a machine; it ends at the latest with `stop`. */
  function start(machine: number, program: string, args: string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn('nsenter', inside(pids[machine] as number, [program, ...args]), options);
    guardChild(child);
    children.push(child);
    return child;
  }

  /** Starts a process in a machine that sends requests from there. An answer with status 0: none. */
  function startCaller(machine: number) {
    const agent = start(machine, process.execPath, [AGENT], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const waiting = new Map<number, (answer: Pick<Answer, 'status' | 'body'>) => void>();
    let sent = 0;
    agent.on('message', ({ id, answer }: { id: number; answer: Answer }) => {
      waiting.get(id)?.(answer);
      waiting.delete(id);
    });
    return (url: string, options: Sent = {}) =>
      new Promise<Pick<Answer, 'status' | 'body'>>((resolve) => {
        sent += 1;
        waiting.set(sent, resolve);
        agent.send({ id: sent, url, options });
      });
  }

  return {
    start,
    startCaller,
    /** Pulls the cable of a machine. */
    cut: (machine: number) => run(network, `ip link set m${machine} nomaster`),
    /** Puts the cable back. */
    join: (machine: number) => run(network, `ip link set m${machine} master switch`),
    async stop(): Promise<void> {
      const running = children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
      const ended = running.map((child) => once(child, 'exit'));
      for (const child of running) child.kill('SIGKILL');
      await Promise.all(ended);
      for (const keeper of keepers) keeper.kill();
    },
  };
}
