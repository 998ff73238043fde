// The lease of the leader: one message in a stream, which the servers forget after its term.
import { randomUUID } from 'node:crypto';
import { type LogStream, TERM } from './quorum-stream.ts';

export type Holder = { id: string; name: string; url: string };

/** The part of the term that is not used: clocks of two machines do not run equally fast. */
const MARGIN = 100;

export class Lease {
  holder: Holder | undefined;
  #stream: LogStream;
  #own: Holder;
  /** The sequence of its message, while this copy holds it and knows that the servers have it. */
  #seq: number | undefined;
  #until = 0;

  constructor(stream: LogStream, name: string, url: string) {
    this.#stream = stream;
    this.#own = { id: randomUUID(), name, url };
  }

  /** By the clock that only runs forward: true until the servers may have forgotten it, also after a process was stopped. */
  get isHeld(): boolean {
    return performance.now() < this.#until;
  }

  /**
   * Looks who holds the lease; takes or renews it if this copy may lead.
   * @returns true if a term began: another copy may have led since the one before
   */
  async tick(mayLead: boolean): Promise<boolean> {
    const began = performance.now();
    const found = this.#seq === undefined ? await this.#read() : undefined;
    const isOther = found?.holder && found.holder.id !== this.#own.id;
    if (isOther || !mayLead) {
      this.holder = found?.holder;
      return false;
    }
    const after = this.#seq ?? found?.seq ?? 0;
    this.#seq = undefined;
    this.holder = undefined;
    this.#seq = await this.#stream.setLease(after, JSON.stringify(this.#own));
    const goesOn = this.isHeld;
    this.#until = began + TERM - MARGIN;
    this.holder = this.#own;
    return !goesOn;
  }

  /** Gives it back: the next one need not wait for the end of the term. */
  async release(): Promise<void> {
    this.#until = 0;
    if (this.#seq !== undefined) await this.#stream.setLease(this.#seq, '');
  }

  async #read(): Promise<{ seq: number; holder?: Holder } | undefined> {
    const message = await this.#stream.lease();
    return message && { seq: message.seq, holder: message.text ? JSON.parse(message.text) : undefined };
  }
}
