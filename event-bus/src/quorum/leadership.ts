// Leader election: the copy of the bus that holds a lease delivers, takes publications and control.
import type { Database } from '@blog/common/core/database.ts';
import { Loop } from '@blog/common/core/loop.ts';
import type { Log } from '@blog/common/core/observer.ts';
import type { Quorum } from './quorum.ts';
import type { CopySettings } from './settings.ts';
import { type LogStream, TERM } from './stream.ts';

type Holder = { name: string; url: string };

/** The part of the term that is not used: clocks of two machines do not run equally fast. */
const MARGIN = 100;

/** The interval at which it is checked that the stream is open, in milliseconds. */
const OPENING = 20;

/** Two clocks, in milliseconds: one stands still while the machine is suspended, the other one can be set. */
const now = () => [performance.now(), Date.now()];

type Options = {
  db: Database;
  log: Log;
  quorum: Quorum;
  settings: CopySettings;
  /** The work of the leader: begins anew with each of its terms. */
  work: Loop;
};

/**
 * The lease is one message in a stream, which the servers forget after its term; the leader renews it. It is only for efficiency:
 * if two copies believe to lead, the stream takes messages from one of them.
 */
export class Leadership extends Loop {
  #options: Options;
  /** The holder of the lease, as far as this copy knows. */
  #holder: Holder | undefined;
  /** The end of the present term of this copy, by both clocks. */
  #until = [0, 0];
  /** True from the first message of the term until its end was noticed. */
  #leads = false;
  #work = Promise.resolve();
  #known: string | undefined;
  #wasReady = false;

  constructor(options: Options) {
    super();
    this.#options = options;
  }

  /** False at once when the term may be over, also in a process that was stopped for a while. */
  get leads(): boolean {
    return this.#leads && this.#isHeld && !this.#options.quorum.divergence;
  }

  get #isHeld(): boolean {
    return now().every((time, clock) => time < (this.#until[clock] ?? 0));
  }

  /** The copy that leads, as far as this one knows. */
  get leader(): Holder | undefined {
    const isOwn = this.#holder?.url === this.#options.settings.url;
    return isOwn && !this.leads ? undefined : this.#holder;
  }

  override start(): void {
    this.#options.quorum.start();
    super.start();
  }

  protected async run(): Promise<void> {
    const { quorum, log } = this.#options;
    while (!this.stopped) {
      try {
        if (quorum.stream) await this.#turn(quorum.stream);
      } catch (error) {
        log.debug({ reason: (error as Error).message }, 'no lease');
      }
      if (!this.leads) this.#cease();
      this.#tell();
      await this.interruption.wait(quorum.stream ? TERM / (this.#leads ? 4 : 8) : OPENING);
    }
  }

  /** Reads the lease. Returns the sequence of its message; 0 if there is none. */
  async #look(stream: LogStream): Promise<number> {
    const found = await stream.lease();
    this.#holder = found?.text ? JSON.parse(found.text) : undefined;
    return found?.seq ?? 0;
  }

  /** Takes or renews the lease, unless another copy holds it or this one may not lead. */
  async #turn(stream: LogStream): Promise<void> {
    const { quorum, settings } = this.#options;
    const { name, url } = settings;
    stream.present(name);
    const began = now();
    const seq = await this.#look(stream);
    if (this.#holder && this.#holder.url !== url) return;
    if (quorum.divergence || !(quorum.isCaughtUp || this.#leads)) return;
    await stream.setLease(seq, JSON.stringify({ name, url }));
    // The term ran out meanwhile: another copy may have led.
    if (!this.#isHeld) this.#cease();
    this.#until = began.map((time) => time + TERM - MARGIN);
    this.#holder = { name, url };
    if (!this.#leads) await this.#begin();
  }

  /**
   * The first message of a term is a barrier: behind it the stream takes nothing more from the leader before, and this copy has
   * all that was acknowledged.
   */
  async #begin(): Promise<void> {
    const { db, settings, work } = this.#options;
    const sql = 'INSERT OR REPLACE INTO leaders (name, since) VALUES (?, ?)';
    await db.write((tx) => tx.run(sql, settings.name, new Date().toISOString()));
    this.#leads = true;
    this.#work = this.#work.then(() => work.start());
  }

  #cease(): void {
    if (!this.#leads) return;
    this.#leads = false;
    this.#work = this.#work.then(() => this.#options.work.stop());
  }

  #tell(): void {
    const { leader, leads } = this;
    if (leader?.url === this.#known) return;
    this.#known = leader?.url;
    this.#options.log.info({ leader: leader?.name ?? null, leads }, 'leader changed');
  }

  /** Gives the lease back before the connection is closed: the next one need not wait for the end of the term. */
  override async stop(): Promise<void> {
    const { db, quorum } = this.#options;
    await super.stop();
    this.#cease();
    await this.#work;
    // Positions that wait for a commit are stored first.
    await db.write(() => {}).catch(() => {});
    if (quorum.stream) await this.#giveBack(quorum.stream).catch(() => {});
    await quorum.stop();
  }

  async #giveBack(stream: LogStream): Promise<void> {
    const seq = await this.#look(stream);
    if (this.#holder?.url === this.#options.settings.url) await stream.setLease(seq, '');
  }

  /** Not ready until all of the log is here and a copy leads, once: then it takes what it is asked, or passes it on. */
  unready(): string | undefined {
    const { divergence, isCaughtUp } = this.#options.quorum;
    if (divergence) return divergence;
    if (isCaughtUp && this.leader) this.#wasReady = true;
    if (this.#wasReady) return undefined;
    return isCaughtUp ? 'No copy of the bus leads.' : 'It has not caught up with the log yet.';
  }

  /** For `/readyz`: the copies that are there, and the nodes that hold the stream. */
  async details() {
    const { quorum, settings } = this.#options;
    const copies = new Set([settings.name, ...(quorum.stream?.copies ?? [])]);
    const nodes = (await quorum.stream?.nodes()) ?? [];
    return { quorum: { leader: this.leader?.name ?? null, copies: [...copies].sort(), nodes } };
  }

  async degraded(): Promise<string[]> {
    return this.leader ? [] : ['No copy of the bus leads.'];
  }
}
