import { randomUUID } from 'node:crypto';
import type { Database, Tx } from '@blog/common/core/database.ts';
import { failpoint } from '@blog/common/observe/failpoints.ts';

/** A replay: the first position to push again, under an id that a checkpointed subscriber takes once. */
export type Order = { id: string; from: number };
type Row = { position: number; paused: number; replay_id: string | null; replay_from: number | null };

/** What is kept of a subscription over restarts: in memory as in the database. */
export class Subscription {
  position = 0;
  paused = false;
  order: Order | undefined;
  readonly name: string;
  #db: Database;
  #loaded = false;

  constructor(db: Database, name: string) {
    this.#db = db;
    this.name = name;
  }

  /** The place behind which the next push begins. */
  get after(): number {
    return this.order ? this.order.from - 1 : this.position;
  }

  /** Reads it, once; one never seen before stands at the beginning. */
  async load(): Promise<void> {
    if (this.#loaded) return;
    const row = await this.#db.write((tx) => {
      tx.run('INSERT OR IGNORE INTO subscriptions (name) VALUES (?)', this.name);
      return tx.get<Row>('SELECT * FROM subscriptions WHERE name = ?', this.name);
    });
    this.position = row?.position ?? 0;
    this.paused = row?.paused === 1;
    if (row?.replay_id) this.order = { id: row.replay_id, from: row.replay_from ?? 1 };
    this.#loaded = true;
  }

  /** Moves the position; it rides with the next commit, because losing it only repeats a question or an event. */
  advance(position: number): void {
    if (position === this.position) return;
    failpoint('answered-not-advanced');
    this.position = position;
    this.#db.later((tx) => tx.run('UPDATE subscriptions SET position = ? WHERE name = ?', position, this.name));
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
}

/** Orders a replay from the start for every subscription: of a log that was put back while nothing ran. */
export function orderReplays(tx: Tx): void {
  for (const { name } of tx.all<{ name: string }>('SELECT name FROM subscriptions'))
    tx.run('UPDATE subscriptions SET replay_id = ?, replay_from = 1 WHERE name = ?', randomUUID(), name);
}
