// A graded program: started in temporary folders, killed with all its children, its output kept harmless.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { printable } from '@blog/common/core/printable.ts';
import { answers } from '../../scripts/lib/port-use.ts';
import { NotGradable } from './check.ts';
import { missingFile } from './command.ts';
import { endWithGrader, ownMark } from './leftovers.ts';
import { activityOf, isListening, killProcesses, MARK, processesOf } from './processes.ts';

/** Settings of this shell that would change a graded program, or that belong to its caller. */
const REMOVED =
  /^(NODE_OPTIONS|NODE_V8_COVERAGE|HOST|SUBSCRIPTIONS|BUS_TOKEN|NATS_.*|LOG_LEVEL|OTEL_.*|npm_.*|JEST_.*)$/;
/** The longest line of output that is kept, and the number of lines shown with `--verbose` after each start. */
const LINE = 500;
const LINES = 500;

type ProgramOptions = {
  /** The name in messages: `bus`, `posts`. */
  part: string;
  /** The command's words. */
  words: string[];
  /** A temporary folder, for its working directory, its data and its own temporary files. */
  folder: string;
  port: number;
  env: Record<string, string>;
  /** Ends a start that takes long. */
  signal: AbortSignal;
  /** Shows a line of the program's output. */
  show?: (line: string) => void;
};

let count = 0;

export class Program {
  readonly part: string;
  readonly url: string;
  readonly dataDir: string;
  /** The way in which it ended by itself: `with code 1`. Undefined while it runs, or after a kill. */
  ended: string | undefined;
  #options: ProgramOptions;
  #mark: string;
  #child: ChildProcess | undefined;
  #exit: Promise<void> = Promise.resolve();
  #closed: Promise<unknown> = Promise.resolve();
  /** The lines of its error output since `forgetErrors`, the last ones only. */
  readonly errors: string[] = [];
  #lastLine = '';
  #pids: { at: number; list: number[] } = { at: Number.NEGATIVE_INFINITY, list: [] };

  constructor(options: ProgramOptions) {
    count += 1;
    this.#mark = `${ownMark}${count}-`;
    this.#options = options;
    this.part = options.part;
    this.url = `http://127.0.0.1:${options.port}`;
    this.dataDir = join(options.folder, 'data');
    for (const name of ['data', 'work', 'tmp']) mkdirSync(join(options.folder, name), { recursive: true });
  }

  /**
   * Starts it; resolves once it accepts connections on its port.
   * @throws NotGradable if it ends before, or does not listen there
   */
  async start(): Promise<void> {
    const { words, folder, port, env, show } = this.#options;
    const kept = Object.entries(process.env).filter(([name]) => !REMOVED.test(name));
    // `node` is the one that this project runs on.
    const path = [dirname(process.execPath), process.env.PATH].join(delimiter);
    const given = { PORT: String(port), DATA_DIR: this.dataDir, TMPDIR: join(folder, 'tmp'), [MARK]: this.#mark };
    const [program = '', ...args] = words;
    this.ended = undefined;
    this.#lastLine = '';
    // A group of its own: Ctrl-C does not reach it, and one signal reaches all of the group.
    const child = spawn(program, args, {
      cwd: join(folder, 'work'),
      env: { ...Object.fromEntries(kept), PATH: path, ...given, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const release = child.pid === undefined ? () => {} : endWithGrader(child.pid);
    child.once('exit', release);
    this.#child = child;
    this.#pids.at = Number.NEGATIVE_INFINITY;
    const exit = Promise.withResolvers<void>();
    this.#exit = exit.promise;
    this.#closed = once(child, 'close').catch(() => {});
    let failure: NodeJS.ErrnoException | undefined;
    child.on('error', (error) => {
      failure = error;
      this.ended = 'at once';
      exit.resolve();
    });
    child.on('exit', (code, signal) => {
      if (this.#child === child) this.ended = signal ? `by ${signal}` : `with code ${code}`;
      exit.resolve();
    });
    let lines = 0;
    for (const stream of [child.stdout, child.stderr]) {
      readLines(stream, (line) => {
        if (stream === child.stderr && line.trim()) this.#note(this.#clean(line));
        lines += 1;
        if (lines < LINES) show?.(this.#clean(line));
        else if (lines === LINES) show?.('… (more is not shown)');
      });
    }
    await this.#listens();
    if (failure) throw new NotGradable(`${this.#title} cannot be started: ${reasonOf(failure, program)}.`);
    if (this.ended !== undefined) {
      const missing = missingFile(words);
      if (missing) throw new NotGradable(`There is no file ${missing} in ${process.cwd()}.`);
      await delay(50); // its last line may still be in the pipe
      const said = this.#lastLine && `: ${this.#lastLine}`;
      throw new NotGradable(`${this.#title} ended ${this.ended} before it listened on its PORT${said}`);
    }
  }

  #note(line: string): void {
    if (isError(line) || !isError(this.#lastLine)) this.#lastLine = line;
    if (this.errors.push(line) > LINES) this.errors.shift();
  }

  forgetErrors(): void {
    this.errors.length = 0;
  }

  /** Its name at the begin of a sentence. */
  get #title(): string {
    return this.part === 'bus' ? 'The bus' : this.part;
  }

  /** Resolves once the port answers, or the program has ended. */
  async #listens(): Promise<void> {
    const { port, signal } = this.#options;
    const patience = new Patience(() => this.pids());
    while (this.ended === undefined) {
      signal.throwIfAborted();
      if (await answers(port, '127.0.0.1')) return;
      if (this.ended === undefined && patience.isOver()) {
        const isElsewhere = isListening(this.pids());
        await this.kill();
        const does = isElsewhere ? 'listens elsewhere' : 'does not listen';
        throw new NotGradable(`${this.#title} runs, but ${does}: it must listen on 127.0.0.1 and the port in PORT.`);
      }
      await delay(20);
    }
  }

  /** Output, safe for a terminal, without the names of temporary folders. */
  #clean(line: string): string {
    const text = line.slice(0, LINE).replaceAll(this.#options.folder, '…');
    return printable(text) + (line.length > LINE ? ' …' : '');
  }

  /** All its processes. */
  pids(): number[] {
    if (performance.now() - this.#pids.at > 1_000) {
      this.#pids = { at: performance.now(), list: this.#processes() };
    }
    return this.#pids.list;
  }

  #processes = (): number[] => processesOf(this.#mark, [this.#options.folder]);

  /** Kills it (`kill -9`) with all its children; resolves once none of them runs. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child?.pid !== undefined) killProcesses([-child.pid]);
    for (let pids = this.#processes(); pids.length > 0; pids = this.#processes()) {
      killProcesses(pids);
      await delay(5);
    }
    await this.#exit;
    // A process that could not be found may hold the other end; the grader would go on reading.
    await Promise.race([this.#closed, delay(100)]);
    for (const stream of [child?.stdout, child?.stderr]) stream?.destroy();
    this.ended = undefined;
  }
}

/** The line of a crash that names its reason: behind it Node prints a stack, and its own version. */
const isError = (line: string): boolean => /^(Uncaught )?[\w.]*(Error|Exception)\b/.test(line);

/** Calls `heard` with each line, or its begin if it is longer than is kept. */
function readLines(stream: Readable, heard: (line: string) => void): void {
  let line = '';
  stream.setEncoding('utf8').on('data', (text: string) => {
    for (const [i, part] of text.split('\n').entries()) {
      if (i > 0) heard(line);
      line = (i > 0 ? part : line + part).slice(0, LINE + 1);
    }
  });
  stream.on('end', () => line && heard(line));
}

function reasonOf({ code, message }: NodeJS.ErrnoException, program: string): string {
  if (code === 'ENOENT') return `there is no program ${program}`;
  if (code === 'EACCES') return `${program} is not executable`;
  return message;
}

/** The idle time after which nothing more is expected, in seconds, and a tick of the grader, in milliseconds. */
export const PATIENCE = 6;
const TICK = 100;

/** Said of what was waited for in vain. */
export const WAITED = `(waited until nothing more came for ${PATIENCE} s)`;

/** The processor time that programs may take without progress, in milliseconds: one that only spins would be waited for for ever. */
const MOST = 15_000;

/**
 * The end of waiting for something that never comes: six seconds in which the programs were idle. Time in which they compute,
 * or wait for a processor or a disk, does not count, nor does time in which the grader itself did not run: so a slow machine is
 * not taken for a broken program.
 */
export class Patience {
  #pids: () => number[];
  #idle = 0;
  #last = { ran: 0, waited: 0 };
  #ran = 0;
  #tickAt = performance.now();

  constructor(pids: () => number[]) {
    this.#pids = pids;
  }

  /** There was progress: the wait begins anew. */
  renew(): void {
    this.#idle = 0;
    this.#ran = 0;
  }

  isOver(): boolean {
    const now = performance.now();
    if (now - this.#tickAt < TICK) return false;
    this.#tickAt = now;
    const { ran, waited, isActive } = activityOf(this.#pids());
    // Less than before: a process has ended, with its times.
    const [ranNow, waitedNow] = [Math.max(0, ran - this.#last.ran), Math.max(0, waited - this.#last.waited)];
    // The first look finds all that they have done before.
    if (this.#last.ran > 0) this.#ran += ranNow;
    this.#last = { ran, waited };
    // A retry now and then takes a few milliseconds.
    if (!isActive && ranNow + waitedNow < TICK / 5) this.#idle += 1;
    return this.#idle * TICK >= PATIENCE * 1_000 || this.#ran > MOST;
  }
}
