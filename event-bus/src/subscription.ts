// A subscription: its position in the log, and everything else that the bus knows of its subscriber.
import { randomUUID } from 'node:crypto';
import type { Database } from '@blog/common/core/database.ts';
import { Failures } from '@blog/common/core/loop.ts';
import type { Log } from '@blog/common/core/observer.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import { isSameCopy } from './copies.ts';

/** A replay: the first position to push again, under an id that a checkpointed subscriber takes once. */
export type Order = { id: string; from: number };
type Row = { position: number; paused: number; replay_id: string | null; replay_from: number | null };

/** A part that restarts is away for a moment: only so many failures in a row are worth a line of the log. */
const REPORTED_FROM = 3;

export class Subscription {
  readonly name: string;
  /** Null if it is not configured any more: then it is gone, and nothing is sent. */
  readonly url: string | null;
  readonly failures: Failures;
  kind: 'unknown' | 'checkpointed' | 'plain' = 'unknown';
  /** Kept over restarts, in memory as in the database. */
  position = 0;
  paused = false;
  order: Order | undefined;
  /** The reasons for which subscriber or publisher and log are not of one history. */
  #diverged: { subscriber?: string; publisher?: string } = {};
  #db: Database;
  #log: Log;
  #isLoaded = false;
  /** The time since which it is gone, by `performance.now()`. */
  #goneSince = Number.POSITIVE_INFINITY;

  constructor(db: Database, log: Log, name: string, url: string | null) {
    this.#db = db;
    this.#log = log;
    this.name = name;
    this.url = url;
    this.setGone(url === null);
    const messages = { begin: 'delivery failed', end: 'delivering again' };
    this.failures = new Failures({ log, fields: { subscription: name }, from: REPORTED_FROM, ...messages });
  }

  /** The position behind which the next push begins. */
  get after(): number {
    return this.order ? this.order.from - 1 : this.position;
  }

  /** True if its name has no address, or is not configured any more: it waits, however long, and keeps its position. */
  get isGone(): boolean {
    return this.#goneSince < Number.POSITIVE_INFINITY;
  }

  setGone(isGone: boolean): void {
    // One that was never there is gone for long.
    const since = this.kind === 'unknown' ? Number.NEGATIVE_INFINITY : performance.now();
    this.#goneSince = isGone ? since : Number.POSITIVE_INFINITY;
  }

  /** True while events are delivered to it, or have not been for less than so many milliseconds. */
  answersWithin(limit: number): boolean {
    const fails = performance.now() - Math.min(this.failures.since, this.#goneSince);
    return !this.paused && !this.divergence && fails < limit;
  }

  /**
   * Reads it, once; one never seen before begins at position 0. One that runs alone now and was a copy, or the other way
   * round, goes on under its new name: `posts` and `posts-0`.
   */
  async load(): Promise<void> {
    if (this.#isLoaded) return;
    const row = await this.#db.write((tx) => {
      const other = knownNames(tx).find((name) => name !== this.name && isSameCopy(name, this.name));
      if (other) rename(tx, other, this.name);
      tx.run('INSERT OR IGNORE INTO subscriptions (name) VALUES (?)', this.name);
      return tx.get<Row>('SELECT * FROM subscriptions WHERE name = ?', this.name);
    });
    this.position = row?.position ?? 0;
    this.paused = row?.paused === 1;
    if (row?.replay_id) this.order = { id: row.replay_id, from: row.replay_from ?? 1 };
    this.#isLoaded = true;
  }

  /** Moves the position; it is stored with the next commit, because losing it only repeats a question or an event. */
  advance(position: number): void {
    if (position === this.position) return;
    this.position = position;
    // The position of a plain subscriber is kept nowhere else.
    const seals = this.kind === 'plain';
    const sql = 'UPDATE subscriptions SET position = ? WHERE name = ?';
    this.#db.later((tx) => tx.run(sql, position, this.name), { seals });
  }

  async setPaused(paused: boolean): Promise<void> {
    const sql = 'UPDATE subscriptions SET paused = ? WHERE name = ?';
    await this.#db.write((tx) => tx.run(sql, Number(paused), this.name));
    this.paused = paused;
  }

  async setOrder(order: Order | undefined): Promise<void> {
    const sql = 'UPDATE subscriptions SET replay_id = ?, replay_from = ? WHERE name = ?';
    await this.#db.write((tx) => tx.run(sql, order?.id ?? null, order?.from ?? null, this.name));
    this.order = order;
  }

  /** The order was taken: from now on this log is the one that publisher and subscriber know. */
  async orderTaken(): Promise<void> {
    await this.setOrder(undefined);
    this.diverge('publisher', undefined);
  }

  /** While it is diverged nothing but a replay order is pushed. */
  get divergence(): string | undefined {
    return this.#diverged.subscriber ?? this.#diverged.publisher;
  }

  /** Subscriber or publisher tell of a checkpoint that this log does not have; without a claim, of one that it has. */
  diverge(side: 'subscriber' | 'publisher', claim: string | undefined): void {
    const reason = claim && `${claim}, which this log does not have`;
    if (reason && reason !== this.#diverged[side])
      this.#log.error({ subscription: this.name, reason }, 'subscription diverged');
    this.#diverged[side] = reason;
  }
}

export const knownNames = (tx: Tx): string[] =>
  tx.all<{ name: string }>('SELECT name FROM subscriptions ORDER BY name').map(({ name }) => name);

function rename(tx: Tx, from: string, to: string): void {
  const { changes } = tx.run('UPDATE OR IGNORE subscriptions SET name = ? WHERE name = ?', to, from);
  if (changes > 0) tx.run('UPDATE dead_letters SET subscription = ? WHERE subscription = ?', to, from);
}

/** Removes all that is known of a subscription. */
export function forget(tx: Tx, name: string): void {
  tx.run('DELETE FROM subscriptions WHERE name = ?', name);
  tx.run('DELETE FROM dead_letters WHERE subscription = ?', name);
}

/** Orders a replay from the start for every subscription: of a log that was put back while nothing ran. */
export function orderReplays(tx: Tx): void {
  for (const name of knownNames(tx))
    tx.run('UPDATE subscriptions SET replay_id = ?, replay_from = 1 WHERE name = ?', randomUUID(), name);
}
