import type { Database, Tx } from './database.ts';

/**
 * Readers that ask the same, as nearly all do, share what is read and written as text for them, until the next commit: also
 * of another process, because two of one part may run for a moment.
 */
export class Shared<T> {
  #db: Database;
  #latest: { asked: unknown; version: number; answer: Promise<T> } | undefined;

  constructor(db: Database) {
    this.#db = db;
  }

  /** What `read` gives for what is `asked`, from the database or from who asked it last. */
  async of(asked: string | number, read: (tx: Tx) => T): Promise<T> {
    const { version } = this.#db;
    if (this.#latest?.asked !== asked || this.#latest.version !== version) {
      const answer = this.#db.read(read);
      answer.catch(() => {
        this.#latest = undefined;
      });
      this.#latest = { asked, version, answer };
    }
    return this.#latest.answer;
  }
}
