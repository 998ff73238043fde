import type { Database, Tx } from './database.ts';

/** Readers that ask the same, as nearly all do, share what is read and written as text for them, until the next commit. */
export class Shared<T> {
  #db: Database;
  #latest: { asked: unknown; answer: Promise<T> } | undefined;

  constructor(db: Database) {
    this.#db = db;
    db.onCommit(() => this.#forget());
  }

  /** What `read` gives for what is `asked`, from the database or from who asked it last. */
  async of(asked: string | number, read: (tx: Tx) => T): Promise<T> {
    if (this.#latest?.asked !== asked) {
      const answer = this.#db.read(read);
      answer.catch(() => this.#forget());
      this.#latest = { asked, answer };
    }
    return this.#latest.answer;
  }

  #forget(): void {
    this.#latest = undefined;
  }
}
