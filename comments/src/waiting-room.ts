import type { Checkpoint } from '@blog/common/core/checkpoint.ts';
import type { Database } from '@blog/common/core/database.ts';
import { fieldProblem, unavailable } from '@blog/common/core/problem.ts';
import type { Relay } from '@blog/common/core/relay.ts';
import type { Subscriber } from '@blog/common/core/subscriber.ts';
import { knowsPost } from './comments.ts';

/** The maximum wait of a comment for the `PostCreated` of its post, in milliseconds, and the maximum of waiting comments. */
const PATIENCE = 2_000;
const SEATS = 1_000;
/** The wait after which the bus is asked for its head, in milliseconds: most posts arrive much sooner. */
const ASK_AFTER = 500;

const unknown = (why: string) => unavailable(`Whether this post exists cannot be told: ${why}.`);

/** Comments wait here for posts that this service has not heard of: the event may be on its way. */
export class WaitingRoom {
  #db: Database;
  #subscriber: Subscriber;
  #relay: Relay;
  #waiting = new Map<string, Set<() => void>>();
  #seats = 0;
  #ended = false;

  constructor(db: Database, subscriber: Subscriber, relay: Relay) {
    this.#db = db;
    this.#subscriber = subscriber;
    this.#relay = relay;
  }

  /** Lets in the comments that wait for this post; called once its event is committed. */
  arrived(postId: string): void {
    for (const letIn of this.#waiting.get(postId) ?? []) letIn();
  }

  /** This service stops: a post that it has not heard of by now it will not hear of. */
  end(): void {
    this.#ended = true;
    for (const seats of this.#waiting.values()) for (const leave of seats) leave();
  }

  /**
   * Resolves as soon as the post is known.
   * @throws Problem 404 if the bus is there, this service has applied the whole log of a while ago, and the post is not in it
   *   and has not come since; 503 if that cannot be known
   */
  async waitFor(postId: string): Promise<void> {
    if (await this.#knows(postId)) return;
    // A relay that cannot publish notices it sooner than the bus's silence does.
    if (this.#relay.fails || !this.#subscriber.hearsBus) throw unknown('the event bus is away');
    if (this.#seats >= SEATS) throw unavailable('Too many comments wait for their posts.');
    this.#seats += 1;
    let head: Checkpoint | undefined;
    try {
      if (await this.#wait(postId, ASK_AFTER)) return;
      head = await this.#subscriber.askHead();
      // Meanwhile the other services publish what is left in their outboxes, if the bus was away just now.
      if (await this.#wait(postId, PATIENCE - ASK_AFTER)) return;
    } finally {
      this.#seats -= 1;
    }
    if (this.#ended) throw unknown('this service is stopping');
    if (this.#relay.fails || head === undefined) throw unknown('the event bus is away');
    if (!(await this.#subscriber.has(head))) throw unknown('events are still on their way');
    // The sentence does not deny the post: an owner that died right after its 201 has published nothing of it.
    const detail = 'No post with this id has come here. If it was written just now, try again in a while.';
    throw fieldProblem(404, 'id', 'must be the id of a post', detail);
  }

  #knows(postId: string): Promise<boolean> {
    return this.#db.read((tx) => knowsPost(tx, postId));
  }

  /** Waits for the post so many milliseconds. Returns true if it is known then. */
  async #wait(postId: string, patience: number): Promise<boolean> {
    if (this.#ended) return this.#knows(postId);
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
      this.#knows(postId).then((known) => known && leave(), leave);
    });
    return this.#knows(postId);
  }
}
