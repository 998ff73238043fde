// The processes of a graded program, its children included, as Linux shows them in /proc. Elsewhere only its group is known.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** The variable that each process of a program inherits, also one that leaves the process group. */
export const MARK = 'GRADED_PROGRAM';

const read = (path: string): string => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // the process has ended, or is another user's
  }
};
const list = (path: string): string[] => {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
};

/** The ids of the processes whose mark begins so, or that work in one of these folders: some have cleared their environment. */
export function processesOf(mark: string, folders: string[]): number[] {
  const pids = list('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => isMarked(pid, mark) || isIn(pid, folders)).map(Number);
}

const isMarked = (pid: string, mark: string) => `\0${read(`/proc/${pid}/environ`)}`.includes(`\0${MARK}=${mark}`);

function isIn(pid: string, folders: string[]): boolean {
  try {
    const directory = readlinkSync(`/proc/${pid}/cwd`);
    return folders.some((folder) => directory.startsWith(`${folder}/`));
  } catch {
    return false; // the process has ended, or is another user's
  }
}

export function killProcesses(pids: number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it has ended
    }
  }
}

/**
 * The time that these processes have had a processor so far, and that they waited for one, in milliseconds; and if one of
 * their threads runs, waits for a processor or waits for the disk at this moment.
 */
export function activityOf(pids: number[]): { ran: number; waited: number; isActive: boolean } {
  const sum = { ran: 0, waited: 0 };
  let isActive = false;
  for (const pid of pids) {
    for (const task of list(`/proc/${pid}/task`)) {
      const [ran = 0, waited = 0] = read(`/proc/${pid}/task/${task}/schedstat`).split(' ').map(Number);
      sum.ran += ran / 1e6;
      sum.waited += waited / 1e6;
      isActive ||= /\) [RD] /.test(read(`/proc/${pid}/task/${task}/stat`));
    }
  }
  return { ...sum, isActive };
}

/** Resident memory of these processes in MiB; memory that they share counts once (PSS). */
export function memoryOf(pids: number[]): number {
  const sizes = pids.map((pid) => Number(/^Pss: +(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0));
  return sizes.reduce((sum, size) => sum + size, 0) / 1024;
}

/** True if one of these processes listens on a TCP port. */
export function isListening(pids: number[]): boolean {
  const LISTEN = '0A';
  const rows = ['tcp', 'tcp6'].flatMap((table) => read(`/proc/net/${table}`).split('\n').slice(1));
  const sockets = rows.map((row) => row.trim().split(/\s+/)).filter((columns) => columns[3] === LISTEN);
  const names = new Set(sockets.map((columns) => `socket:[${columns[9]}]`));
  return pids.some((pid) =>
    list(`/proc/${pid}/fd`).some((descriptor) => {
      try {
        return names.has(readlinkSync(`/proc/${pid}/fd/${descriptor}`));
      } catch {
        return false;
      }
    }),
  );
}
