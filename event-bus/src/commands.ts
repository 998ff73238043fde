// The commands of a person to a subscription: pause, resume, skip, replay, and the redelivery of a dead letter.
import { randomUUID } from 'node:crypto';
import type { Database } from '@blog/common/core/database.ts';
import { PLAIN } from '@blog/common/core/events.ts';
import { isSuccess, reason } from '@blog/common/core/exchange.ts';
import { fieldProblem, Problem, unavailable } from '@blog/common/core/problem.ts';
import { deleteLetter, getLetter } from './dead-letters.ts';
import type { Delivery } from './delivery.ts';
import { head } from './log.ts';
import { failureOf } from './peer.ts';

export const pause = (loop: Delivery) => loop.command(({ subscription }) => subscription.setPaused(true));

/** Goes on, and tries at once what waits for its next attempt. */
export const resume = (loop: Delivery) =>
  loop.command(async (peer) => {
    await peer.subscription.setPaused(false);
    peer.askAt = 0;
  });

/** Parks the event that this subscription is stuck on. */
export const skip = (loop: Delivery) =>
  loop.command(async (peer) => {
    const { order, divergence, failures } = peer.subscription;
    if (divergence && !order) throw new Problem(409, 'The subscription is diverged: replay it.');
    const [event] = (await peer.next()).events;
    if (!event) throw new Problem(409, 'There is no event to skip.');
    await peer.park(event, `skipped by hand${failures.reason ? `: ${failures.reason}` : ''}`);
  });

/** Goes back, so that `from` is the first position pushed; a checkpointed subscriber is ordered to. */
export const replay = (loop: Delivery, from: number) =>
  loop.command(async (peer) => {
    const { divergence, position } = peer.subscription;
    const most = divergence ? 1 : position + 1;
    if (from > most) throw fieldProblem(400, 'from', `must be at most ${most}`);
    await peer.subscription.setOrder({ id: randomUUID(), from });
    peer.batches.unparked();
    peer.askAt = 0;
  });

/** Delivers a dead letter once more, outside the order; it is deleted after a 2xx. */
export const redeliver = (loop: Delivery, db: Database, id: number) =>
  loop.command(async (peer) => {
    const { name } = peer.subscription;
    const letter = await db.read((tx) => getLetter(tx, id));
    const headers = { 'event-head': await db.read(head), 'content-type': PLAIN };
    const answer = await peer.send([letter], headers, letter.record).catch((error) => {
      throw unavailable(`${name} does not answer: ${reason(error)}.`);
    });
    if (!isSuccess(answer)) throw new Problem(409, `${name} ${failureOf(answer).message}`);
    await db.write((tx) => deleteLetter(tx, id));
    // A subscriber whose checkpoint is before it, and that loses its data there, gets it as any other event.
    peer.batches.unparked(letter.position);
    peer.delivered([letter], 1);
  });
