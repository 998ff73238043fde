// The wait of comments for posts that this service has not heard of yet: the event may be on its way.
import { EventEmitter, once } from 'node:events';
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

export function createWaitingRoom(db: Database, subscriber: Subscriber, relay: Relay) {
  const arrivals = new EventEmitter().setMaxListeners(SEATS);
  const ending = new AbortController();
  let taken = 0;

  const knows = (postId: string) => db.read((tx) => knowsPost(tx, postId));

  /** Waits for the post so many milliseconds. Returns true if it is known then. */
  async function wait(postId: string, patience: number): Promise<boolean> {
    // It is listened for first: the post may arrive while the database is asked.
    const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(patience)]);
    const arrival = once(arrivals, `post ${postId}`, { signal }).catch(() => {});
    if (await knows(postId)) return true;
    await arrival;
    return knows(postId);
  }

  return {
    /** Lets in the comments that wait for this post; called once its event is committed. */
    arrived: (postId: string) => void arrivals.emit(`post ${postId}`),

    /** This service stops: a post that it has not heard of by now it will not hear of. */
    end: () => ending.abort(),

    /**
     * Resolves as soon as the post is known.
     * @throws Problem 404 if the bus is there, this service has applied the whole log of a while ago, and the post is not in
     *   it and has not come since; 503 if that cannot be known
     */
    async waitFor(postId: string): Promise<void> {
      if (await knows(postId)) return;
      // A relay that cannot publish notices it sooner than the bus's silence does.
      if (relay.fails || !subscriber.hearsBus) throw unknown('the event bus is away');
      if (taken >= SEATS) throw unavailable('Too many comments wait for their posts.');
      taken += 1;
      try {
        if (await wait(postId, ASK_AFTER)) return;
        const head = await subscriber.askHead();
        // Meanwhile the other services publish what is left in their outboxes, if the bus was away just now.
        if (await wait(postId, PATIENCE - ASK_AFTER)) return;
        // Asked before the last look: else the post could come in between, with the events that make this true.
        const isAtHead = head !== undefined && (await subscriber.has(head));
        if (await knows(postId)) return;
        if (ending.signal.aborted) throw unknown('this service is stopping');
        if (relay.fails || head === undefined) throw unknown('the event bus is away');
        if (!isAtHead) throw unknown('events are still on their way');
      } finally {
        taken -= 1;
      }
      // The sentence does not deny the post: an owner that died right after its 201 has published nothing of it.
      const detail = 'No post with this id has come here. If it was written just now, try again in a while.';
      throw fieldProblem(404, 'id', 'must be the id of a post', detail);
    },
  };
}
