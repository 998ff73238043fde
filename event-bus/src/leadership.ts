// Leader election: the copy of the bus that holds the lease delivers, takes publications and control.
import type { Database } from '@blog/common/core/database.ts';
import { Loop } from '@blog/common/core/loop.ts';
import type { Log } from '@blog/common/core/observer.ts';
import { type Holder, Lease } from './lease.ts';
import type { Quorum } from './quorum.ts';
import { type Node, type Servers, TERM } from './quorum-stream.ts';

/** The time after which a copy that says nothing is no longer there, in milliseconds. */
const PRESENT_FOR = 3 * TERM;

type Options = { db: Database; log: Log; quorum: Quorum; settings: Servers };

export class Leadership extends Loop {
  #options: Options;
  #lease: Lease | undefined;
  #leads = false;
  #leader: string | undefined;
  #listeners: ((leads: boolean) => void)[] = [];
  #present = new Map<string, number>();
  #nodes: Node[] = [];

  constructor(options: Options) {
    super();
    this.#options = options;
    options.quorum.mayWrite = () => this.#lease?.isHeld ?? false;
  }

  /** False at once when the lease may be over, also in a process that was stopped for a while. */
  get leads(): boolean {
    return this.#leads && (this.#lease?.isHeld ?? false);
  }

  /** The copy that leads, as far as this one knows. */
  get leader(): Holder | undefined {
    return this.#lease?.holder;
  }

  /** Calls the listener when this copy begins or ceases to lead, and when another one leads. */
  onChange(listener: (leads: boolean) => void): void {
    this.#listeners.push(listener);
  }

  override start(): void {
    this.#options.quorum.start();
    super.start();
  }

  /** The lease is given back before the connection is closed. */
  override async stop(): Promise<void> {
    await super.stop();
    await this.#options.quorum.stop();
  }

  protected async run(): Promise<void> {
    const { log } = this.#options;
    while (!this.stopped) {
      try {
        await this.#turn();
      } catch (error) {
        log.debug({ reason: (error as Error).message }, 'no lease');
      }
      this.#tell();
      await this.interruption.wait(TERM / (this.#leads ? 4 : 8));
    }
    await this.#giveBack();
  }

  async #turn(): Promise<void> {
    const { db, quorum, settings } = this.#options;
    const { stream } = quorum;
    if (!stream) return;
    if (!this.#lease) stream.onPresent((name) => this.#present.set(name, performance.now()));
    this.#lease ??= new Lease(stream, settings.name, settings.url);
    stream.present(settings.name);
    const isNew = await this.#lease.tick((quorum.isCaughtUp || this.#leads) && !quorum.divergence);
    // The term ran out while the servers were asked, and began again: all that leads begins anew, too.
    if (isNew && this.#leads) {
      this.#leads = false;
      this.#tell();
    }
    if (!this.#lease.isHeld || this.#leads) return;
    // The first message of a term is a barrier: behind it the stream takes nothing more from the leader before, and this copy
    // has all that was acknowledged.
    const sql = 'INSERT OR REPLACE INTO leaders (name, since) VALUES (?, ?)';
    await db.write((tx) => tx.run(sql, settings.name, new Date().toISOString()));
    this.#leads = true;
  }

  #tell(): void {
    this.#leads = this.leads && !this.#options.quorum.divergence;
    const leader = this.#leads ? this.#options.settings.name : this.leader?.name;
    const known = leader && `${leader} ${this.#leads}`;
    if (known === this.#leader) return;
    this.#leader = known;
    this.#options.log.info({ leader: leader ?? null, leads: this.#leads }, 'leader changed');
    for (const listener of this.#listeners) listener(this.#leads);
  }

  /** Positions that wait for a commit are stored first. */
  async #giveBack(): Promise<void> {
    await this.#options.db.write(() => {}).catch(() => {});
    this.#leads = false;
    await this.#lease?.release().catch(() => {});
    this.#tell();
  }

  /** For `/readyz`: the copies that are there, and the nodes that hold the stream. */
  async details() {
    const { quorum, settings } = this.#options;
    const since = performance.now() - PRESENT_FOR;
    const others = [...this.#present].filter(([, at]) => at > since).map(([name]) => name);
    const info = await quorum.stream?.info().catch(() => undefined);
    if (info) this.#nodes = quorum.stream?.nodesOf(info) ?? [];
    // The last known state, while nobody answers.
    else this.#nodes = this.#nodes.map((node) => ({ ...node, leader: false, current: false }));
    const leader = this.leads ? settings.name : (this.leader?.name ?? null);
    const copies = [...new Set([settings.name, ...others])].sort();
    return { quorum: { leader, copies, nodes: this.#nodes } };
  }

  async degraded(): Promise<string[]> {
    return this.leads || this.leader ? [] : ['No copy of the bus leads.'];
  }
}
