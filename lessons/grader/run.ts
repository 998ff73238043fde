// One run of a check: its programs, its timeline, its waits, and the end of everything that it started.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '../../scripts/lib/port-use.ts';
import { Failed, NotGradable, type Part, type Plan } from './check.ts';
import { errorsIn } from './errors.ts';
import { remove, temporaryFolder } from './leftovers.ts';
import { Patience, Program } from './program.ts';
import { Recorder } from './recorder.ts';
import { type Answer, noAnswer, type Sent, send } from './request.ts';

export type RunOptions = {
  plan: Plan;
  /** The words of the command of each part. */
  commands: Partial<Record<Part, string[]>>;
  /** Shows a line of a program's output. */
  show?: (part: string, line: string) => void;
  /** Ends the run early. */
  signal: AbortSignal;
};

/** Ports of runs in this process: a program that is killed finds its own still free. */
const taken = new Set<number>();

export class Run {
  plan: Plan;
  recorder = new Recorder();
  /** State that a check leaves for the next one of its scene. */
  kept: unknown;
  /** Grows with each step forward: a publication that is acknowledged, an event that a subscriber takes for the first time. */
  progress = 0;
  #options: RunOptions;
  #folder: string | undefined;
  #ports: number[] = [];
  #programs: Program[] = [];
  #ends: (() => unknown)[] = [];

  constructor(options: RunOptions) {
    this.#options = options;
    this.plan = options.plan;
  }

  /** Begins the next check of a scene. */
  begin(plan: Plan): void {
    for (const program of this.#programs) program.forgetErrors();
    this.plan = plan;
    this.recorder = new Recorder();
    this.progress = 0;
  }

  /** A number of the plan. */
  size(name: string): number {
    const size = this.plan[name];
    if (size === undefined) throw new Error(`The plan has no ${name}.`);
    return size;
  }

  async freePort(): Promise<number> {
    for (;;) {
      const [port = 0] = await freePorts(1);
      if (taken.has(port)) continue;
      taken.add(port);
      this.#ports.push(port);
      return port;
    }
  }

  /** The program of a part, not yet started, with folders of its own. */
  async program(part: Part, env: Record<string, string>): Promise<Program> {
    const words = this.#options.commands[part];
    if (!words) throw new Error(`There is no command for ${part}.`);
    this.#folder ??= temporaryFolder();
    const folder = join(this.#folder, `${part}-${this.#programs.length}`);
    mkdirSync(folder);
    const { show, signal } = this.#options;
    const port = await this.freePort();
    const program = new Program({ part, words, folder, port, env, signal, show: show && ((line) => show(part, line)) });
    this.#programs.push(program);
    return program;
  }

  async kill(program: Program): Promise<void> {
    this.recorder.event('kill', program.part, 'kill -9');
    await program.kill();
  }

  /** Starts a killed program again, with the same data. @throws Failed if it does not start */
  async restart(program: Program): Promise<void> {
    this.recorder.event('start', program.part, 'starts again');
    await program.start().catch((error) => {
      if (!(error instanceof NotGradable)) throw error;
      const sent = 'kill -9, then the same command again';
      throw new Failed(sent, 'it starts with what is in DATA_DIR', error.message);
    });
  }

  /** Registers what has to be closed at the end of the run. */
  onEnd(close: () => unknown): void {
    this.#ends.push(close);
  }

  /**
   * Waits for a condition; false if it does not come: if there has been no progress for a while in which the programs were idle.
   * @throws Failed if a program has ended by itself
   */
  async until(holds: () => boolean, progress: () => number = () => this.progress): Promise<boolean> {
    const patience = new Patience(() => this.#programs.flatMap((program) => program.pids()));
    for (let last = progress(); !holds(); ) {
      this.#options.signal.throwIfAborted();
      for (const program of this.#programs) this.#assertRuns(program);
      await Promise.race([this.recorder.grown, delay(20)]);
      if (progress() !== last) {
        last = progress();
        patience.renew();
      } else if (patience.isOver()) return holds();
    }
    return true;
  }

  #assertRuns({ part, ended }: Program): void {
    if (ended === undefined) return;
    this.recorder.event('end', part, `ended ${ended}`);
    const last = this.recorder.entries.findLast(({ kind, to }) => kind === 'request' && to === part);
    throw new Failed(last?.text ?? 'nothing yet', 'it goes on running', `it ended by itself, ${ended}`);
  }

  /** One request to a program, as this party. */
  async request(
    from: string,
    program: Program,
    request: Sent & { path: string },
    told: { text: string; events?: string[] } = { text: `${request.method} ${request.path}` },
  ): Promise<Answer> {
    const { recorder } = this;
    const number = recorder.request(from, program.part, told.text, told.events);
    let settled: { answer?: Answer; reason?: string } | undefined;
    const { path, ...options } = request;
    const sending = send(`${program.url}${path}`, options);
    sending.promise.then(
      (answer) => {
        settled = { answer };
        recorder.answer(number, String(answer.status));
      },
      (error) => {
        settled = { reason: String((error as NodeJS.ErrnoException).code ?? error) };
        recorder.answer(number, 'no answer', 'no answer');
      },
    );
    try {
      if (!(await this.until(() => settled !== undefined))) recorder.answer(number, 'no answer', 'no answer');
    } finally {
      sending.cancel();
    }
    if (settled?.reason?.startsWith('HPE_'))
      throw new Failed(told.text, 'an answer in HTTP', 'an answer that is no HTTP');
    if (settled?.reason) {
      await delay(50); // it may be ending just now
      this.#assertRuns(program);
    }
    return settled?.answer ?? noAnswer(settled?.reason);
  }

  /** The last errors that the programs have written during this check. */
  async errors(): Promise<string[]> {
    await delay(50); // the last line may still be in the pipe
    return errorsIn(this.#programs.flatMap((program) => program.errors));
  }

  /** Ends all that was started, and removes its files. */
  async end(): Promise<void> {
    const works = [...this.#programs.map((program) => () => program.kill()), ...this.#ends];
    await Promise.allSettled(works.map(async (work) => work()));
    for (const port of this.#ports) taken.delete(port);
    if (this.#folder) remove(this.#folder);
  }
}
