import type { Database } from '@blog/common/database.ts';
import type { Relay } from '@blog/common/outbox.ts';
import { fieldProblem, unavailable } from '@blog/common/problem.ts';
import type { Subscriber } from '@blog/common/subscriber.ts';
import { knowsPost } from './comments.ts';

/** How long a comment waits for the `PostCreated` of its post, in milliseconds, and how many may wait. */
const PATIENCE = 2_000;
const SEATS = 1_000;

/** Where comments wait whose post this service has not heard of: the event may be on its way. */
export class WaitingRoom {
  #waiting = new Map<string, Set<() => void>>();
  #seats = 0;
  #ended = false;

  /** Lets in those who wait for this post; called once its event is committed. */
  arrived(postId: string): void {
    for (const letIn of this.#waiting.get(postId) ?? []) letIn();
  }

  /** This service stops: what it has not heard of by now it will not hear of. */
  end(): void {
    this.#ended = true;
    for (const seats of this.#waiting.values()) for (const leave of seats) leave();
  }

  /**
   * Resolves as soon as the post is known.
   * @throws Problem 404 if everything in the log is known here and the post is not; 503 if that cannot be told
   */
  async knows(db: Database, subscriber: Subscriber, relay: Relay, postId: string): Promise<void> {
    const known = () => db.read((tx) => knowsPost(tx, postId));
    const untold = (why: string) => unavailable(`Whether this post exists cannot be told: ${why}.`);
    if (await known()) return;
    // A relay that cannot publish tells sooner than the bus's silence does.
    if (relay.fails || !subscriber.hearsBus) throw untold('the event bus is away');
    if (this.#seats >= SEATS) throw unavailable('Too many comments wait for their posts.');
    if (!this.#ended) await this.#wait(postId, known);
    if (await known()) return;
    if (this.#ended) throw untold('this service is stopping');
    if (relay.fails || !subscriber.wasAtHead) throw untold('events are still on their way');
    throw fieldProblem(404, 'id', 'must be the id of a post', 'There is no such post.');
  }

  async #wait(postId: string, known: () => Promise<boolean>): Promise<void> {
    const seats = this.#waiting.get(postId) ?? new Set();
    this.#waiting.set(postId, seats);
    this.#seats += 1;
    await new Promise<void>((resolve) => {
      const leave = () => {
        if (!seats.delete(leave)) return;
        clearTimeout(timer);
        if (seats.size === 0) this.#waiting.delete(postId);
        this.#seats -= 1;
        resolve();
      };
      const timer = setTimeout(leave, PATIENCE);
      seats.add(leave);
      // It may have arrived just before this seat was taken.
      known().then((here) => here && leave(), leave);
    });
  }
}
