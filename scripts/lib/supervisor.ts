// Keeps one part alive: starts it, reads its output, and restarts it when it ends.
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { guardChild } from './guard.ts';
import { answers } from './port-use.ts';
import { type Watch, watchSources } from './watch.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
const STABLE_AFTER_MS = 5_000;
const STOP_WITHIN_MS = 4_000;
/** EX_CONFIG of sysexits.h: a setting is invalid, so a restart would not help. */
export const INVALID_SETTING = 78;

/** The lines that Node prints around an uncaught error: the source line, the stack, its own version. */
const ASIDE = /^(\s|[})\]]|Node\.js v)/;

const here = import.meta.dirname;
const endWithParent = ['--import', pathToFileURL(join(here, 'end-with-parent.ts')).href];
const ownGroup = process.platform !== 'win32';

export type PartSpec = {
  name: string;
  /** The part's working directory. */
  folder: string;
  /** The main module of a Node process, else the path of a program. */
  main: string;
  isProgram?: boolean;
  /** The port on loopback at which the part answers once it is ready. */
  port: number;
  args?: string[];
  env: NodeJS.ProcessEnv;
  /** Folders, relative to `folder`, whose edits restart the part; none: no watching. */
  watch?: string[];
  /** The names of the files in them that count; none: those that our parts have. */
  sources?: RegExp;
  /** Only lines of output that match are told; none: all. */
  tells?: RegExp;
  /** A line of output that matches says that the process is of no use until it is started again: it is killed. */
  failsWith?: RegExp;
  /** Restarts after an edit happen in turn, so that of several copies one is away at a time. */
  inTurn?: (restart: () => Promise<void>) => Promise<void>;
};

/** Runs works one after another. */
export function createTurns() {
  let last = Promise.resolve();
  return (work: () => Promise<void>): Promise<void> => {
    last = last.then(work, work);
    return last;
  };
}

export type LogRecord = { level: number; time: number; msg?: string; [field: string]: unknown };

/** The supervisor's notifications about its part. */
export type Tell = {
  /** Called with every line of output, also with those that `line` leaves out. */
  heard?(line: string | LogRecord): void;
  line(line: string | LogRecord): void;
  note(text: string): void;
  ready(): void;
  ended(): void;
  invalidSetting(): void;
  /** Called if edits cannot be watched. */
  unwatched(reason: string): void;
};

export type State = 'stopped' | 'starting' | 'ready' | 'waiting' | 'stopping';
export type Status = {
  name: string;
  state: State;
  pid?: number;
  restarts: number;
  since?: Date;
  /** The last line of output; of an uncaught error, the line with the message. */
  said: string;
};

export function supervise(spec: PartSpec, tell: Tell) {
  let child: ChildProcess | undefined;
  let pid: number | undefined;
  let state: State = 'stopped';
  let watch: Watch | undefined; // between start and stop
  let starts = 0;
  let since: Date | undefined;
  let readyAt = Number.POSITIVE_INFINITY;
  let pause = FIRST_PAUSE_MS;
  let again: NodeJS.Timeout | undefined;
  let announcement: NodeJS.Timeout | undefined;
  let stopped: Promise<void> | undefined;
  let announced: string | undefined;
  let said = '';
  let errors = new Set<string>(); // in this run
  let knownErrors = new Set<string>(); // in the crashed runs before it

  const isStable = () => Date.now() - readyAt > STABLE_AFTER_MS;

  function forget(): void {
    pause = FIRST_PAUSE_MS;
    announced = undefined;
    errors = new Set();
    knownErrors = new Set();
  }

  function launch(): void {
    const options = {
      cwd: spec.folder,
      env: { ...process.env, ...spec.env },
      // Ctrl-C or a closed terminal then reaches only the runner, which stops its parts in its own way.
      detached: ownGroup,
      windowsHide: true,
    };
    const running = spec.isProgram
      ? spawn(spec.main, spec.args ?? [], { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
      : fork(spec.main, spec.args ?? [], {
          ...options,
          execArgv: endWithParent,
          stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        });
    if (spec.isProgram) guardChild(running);
    again = undefined;
    child = running;
    since = undefined;
    state = 'starting';
    for (const stream of [running.stdout, running.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on('line', (line) => {
        hear(line, stream === running.stderr);
        if (spec.failsWith?.test(line)) kill(running);
      });
    }
    running.once('spawn', () => started(running.pid as number));
    running.on('error', (error) => {
      if (running.pid !== undefined) return; // a message to a process that has just ended
      tell.note(`cannot be started: ${error.message}`);
      child = undefined;
      ended(1, null);
    });
    running.once('exit', (code, signal) => {
      if (child === running) child = undefined;
      ended(code, signal);
    });
  }

  function started(id: number): void {
    if (state === 'stopping') return;
    pid = id;
    starts += 1;
    since = new Date();
    void awaitReady(id);
  }

  async function edited(): Promise<void> {
    if (state === 'stopping') return; // the next start reads the sources anyway
    tell.note('edited, restarting');
    forget();
    const restart = async () => {
      await end();
      if (watch && state === 'stopped') launch();
    };
    if (!spec.inTurn) return restart();
    await spec.inTurn(async () => {
      await restart();
      while (state === 'starting') await delay(30);
    });
  }

  async function awaitReady(id: number): Promise<void> {
    while (!(await answers(spec.port, '127.0.0.1'))) {
      await delay(30);
      if (pid !== id) return;
    }
    if (pid !== id || state !== 'starting') return;
    state = 'ready';
    readyAt = Date.now();
    tell.ready();
  }

  function hear(line: string, isError: boolean): void {
    if (line.trim() === '') return;
    const record = parseRecord(line);
    tell.heard?.(record ?? line);
    const message: unknown = (record?.err as Error | undefined)?.message ?? record?.msg;
    if (!ASIDE.test(line)) said = typeof message === 'string' ? message : line;
    if (isError || (record && record.level >= 50)) {
      const key = record ? JSON.stringify({ ...record, time: 0, pid: 0 }) : line;
      if (!isStable()) {
        errors.add(key);
        if (knownErrors.has(key)) return;
      }
    }
    if (!spec.tells || spec.tells.test(line)) tell.line(record ?? line);
  }

  function ended(code: number | null, signal: NodeJS.Signals | null): void {
    pid = undefined;
    since = undefined;
    if (state !== 'starting' && state !== 'ready') return;
    if (isStable()) forget();
    readyAt = Number.POSITIVE_INFINITY;
    for (const error of errors) knownErrors.add(error);
    errors = new Set();
    if (code === INVALID_SETTING) {
      state = 'stopped';
      tell.invalidSetting();
      return;
    }
    state = 'waiting';
    again = setTimeout(launch, pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    const how = signal ? `by ${signal}` : `with code ${code}`;
    // Delayed a little, because its last lines may still be in the pipe.
    announcement = setTimeout(() => {
      if (announced !== how) tell.note(`ended ${how}, restarting${spec.watch ? ' (at once on an edit)' : ''}`);
      announced = how;
      tell.ended();
    }, 50);
  }

  async function end(): Promise<void> {
    clearTimeout(again);
    clearTimeout(announcement);
    again = undefined;
    const running = child;
    if (running) {
      state = 'stopping';
      const deadline = setTimeout(kill, STOP_WITHIN_MS, running);
      // Not the event 'close', which Node omits after disconnect().
      const streams = [running.stdout, running.stderr].filter((stream) => stream && !stream.closed) as Readable[];
      const closed = Promise.all([once(running, 'exit'), ...streams.map((stream) => once(stream, 'close'))]);
      if (running.connected)
        running.disconnect(); // asks it to end, see end-with-parent.ts
      else if (spec.isProgram) running.kill('SIGTERM');
      await closed;
      clearTimeout(deadline);
    }
    state = 'stopped';
  }

  return {
    name: spec.name,
    start(): void {
      if (state !== 'stopped') return;
      starts = 0;
      forget();
      const folders = spec.watch?.map((folder) => join(spec.folder, folder)) ?? [];
      watch ??= watchSources(folders, edited, tell.unwatched, spec.sources);
      launch();
    },
    /** Resolves once no process of the part runs any more: after a graceful shutdown, or after 4 s by SIGKILL. */
    stop(): Promise<void> {
      watch?.close();
      watch = undefined;
      stopped ??= end().finally(() => {
        stopped = undefined;
      });
      return stopped;
    },
    /** Sends SIGKILL to the service itself, which is then restarted. False: it does not run. */
    kill(): boolean {
      return pid !== undefined && process.kill(pid, 'SIGKILL');
    },
    status(): Status {
      return { name: spec.name, state, pid, restarts: Math.max(0, starts - 1), since, said };
    },
  };
}

export type Part = ReturnType<typeof supervise>;

function parseRecord(line: string): LogRecord | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const record = JSON.parse(line) as LogRecord;
    return typeof record.level === 'number' ? record : undefined;
  } catch {
    return undefined;
  }
}

function kill({ pid = 0 }: ChildProcess): void {
  try {
    process.kill(ownGroup ? -pid : pid, 'SIGKILL');
  } catch {
    // it has already ended
  }
}
