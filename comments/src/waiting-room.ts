import type { Checkpoint } from '@blog/common/core/checkpoint.ts';
import type { Database } from '@blog/common/core/database.ts';
import type { Relay } from '@blog/common/core/outbox.ts';
import type { Subscriber } from '@blog/common/core/subscriber.ts';
import { fieldProblem, unavailable } from '@blog/common/http/problem.ts';
import { knowsPost } from './comments.ts';

/** How long a comment waits for the `PostCreated` of its post, in milliseconds, and how many may wait. */
const PATIENCE = 2_000;
const SEATS = 1_000;
/** After so long the bus is asked where its log ends, in milliseconds: most posts arrive much sooner. */
const ASK_AFTER = 500;

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
   * @throws Problem 404 if the bus is there, this service has all that was in the log a while ago, and the post is not in
   *   it, nor came since; 503 if that cannot be told
   */
  async knows(db: Database, subscriber: Subscriber, relay: Relay, postId: string): Promise<void> {
    const known = () => db.read((tx) => knowsPost(tx, postId));
    const untold = (why: string) => unavailable(`Whether this post exists cannot be told: ${why}.`);
    if (await known()) return;
    // A relay that cannot publish tells sooner than the bus's silence does.
    if (relay.fails || !subscriber.hearsBus) throw untold('the event bus is away');
    if (this.#seats >= SEATS) throw unavailable('Too many comments wait for their posts.');
    this.#seats += 1;
    let head: Checkpoint | undefined;
    try {
      if (await this.#wait(postId, known, ASK_AFTER)) return;
      head = await subscriber.askHead();
      // While this waits on, the others publish what they still have to say, if the bus was away just now.
      if (await this.#wait(postId, known, PATIENCE - ASK_AFTER)) return;
    } finally {
      this.#seats -= 1;
    }
    if (this.#ended) throw untold('this service is stopping');
    if (relay.fails || head === undefined) throw untold('the event bus is away');
    if (!(await subscriber.has(head))) throw untold('events are still on their way');
    // The sentence does not deny the post: an owner that died right after its 201 has published nothing of it.
    const detail = 'No post with this id has come here. If it was written just now, try again in a while.';
    throw fieldProblem(404, 'id', 'must be the id of a post', detail);
  }

  /** Waits for the post so many milliseconds; whether it is known then. */
  async #wait(postId: string, known: () => Promise<boolean>, patience: number): Promise<boolean> {
    if (this.#ended) return known();
    const seats = this.#waiting.get(postId) ?? new Set();
    this.#waiting.set(postId, seats);
    await new Promise<void>((resolve) => {
      const leave = () => {
        if (!seats.delete(leave)) return;
        clearTimeout(timer);
        if (seats.size === 0) this.#waiting.delete(postId);
        resolve();
      };
      const timer = setTimeout(leave, patience);
      seats.add(leave);
      // It may have arrived just before this seat was taken.
      known().then((here) => here && leave(), leave);
    });
    return known();
  }
}
