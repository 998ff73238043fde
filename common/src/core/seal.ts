// The seal of a database: others, such as a quorum of machines, have to have a group of works before it is committed here.
import type { Tx } from './sqlite.ts';

/** A step between the works of a group and its COMMIT. While it goes on, what the works wrote cannot be read. */
export type Seal = {
  /** Runs on each connection that writes, before any work. */
  prepare(tx: Tx): void;
  /**
   * Rejects if the group must not be committed: then it is undone, and its works fail with that error.
   * @returns undefined if there is nothing to seal
   * @throws Problem 413 if the group is too large: its works are tried again one by one
   */
  seal(tx: Tx): Promise<void> | undefined;
};
