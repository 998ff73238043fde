// The two protocols by which events are pushed: batches to a subscriber that keeps a checkpoint, single events to a plain one.
import { positionOf, progressSchema } from '@blog/common/core/checkpoint.ts';
import { BATCH, PLAIN } from '@blog/common/core/events.ts';
import { isSuccess, NoAnswer, reason } from '@blog/common/core/exchange.ts';
import type { Log } from '@blog/common/core/observer.ts';
import { type Batch, PUSH_EVENTS, pushHeaders } from './batch.ts';
import type { Entry } from './log.ts';
import { Failure, type Peer } from './peer.ts';

/** The number of tries of an event that a plain subscriber leaves without an answer: each costs the whole deadline. */
const SILENCES = 3;

/**
 * One batch to a checkpointed subscriber. Only an answer with its progress counts, and any checkpoint other than the end of
 * the batch is a failure: so a subscriber that went back is never pushed to without a pause.
 */
export async function pushBatch(peer: Peer, batch: Batch, log: Log): Promise<void> {
  const { subscription, batches } = peer;
  const { name, order } = subscription;
  const headers = { ...pushHeaders(batch), 'content-type': BATCH, 'event-replay': order?.id };
  const sent = peer.send(batch.events, headers, `[${batch.events.map(({ record }) => record).join(',')}]`);
  const larger = Math.min(peer.size * 2, PUSH_EVENTS);
  if (batch.upto !== batch.head && !order) batches.prepare(positionOf(batch.upto), larger);
  const answer = await sent;
  const progress = progressSchema.safeParse(answer.body).data;
  if (!progress || !(isSuccess(answer) || answer.status === 409)) return peer.refused(answer, batch.events);

  const { checkpoint } = progress;
  const isTaken = checkpoint === batch.upto && (!order || progress.replay === order.id);
  if (isTaken) peer.delivered(batch.events);
  await peer.progressed(progress);
  if (subscription.order) {
    log.warn({ subscription: name, from: order?.from }, 'the replay order was not taken');
    await subscription.setOrder(undefined);
  } else if (isTaken) {
    peer.size = larger;
  } else if (!subscription.divergence) {
    throw new Failure(`answered ${answer.status} and stands at ${checkpoint}`);
  }
}

/** One event to a plain subscriber; any 2xx moves the position that is kept here. */
export async function pushOne(peer: Peer, batch: Batch): Promise<void> {
  const { subscription } = peer;
  subscription.advance(positionOf(batch.first));
  const [event] = batch.events;
  if (event) {
    const headers = { ...pushHeaders(batch), 'content-type': PLAIN };
    const answer = await peer.send([event], headers, event.record).catch((error: Error) => error);
    if (answer instanceof Error) return unanswered(peer, answer, event);
    if (!isSuccess(answer)) return peer.refused(answer, batch.events);
    if (progressSchema.safeParse(answer.body).success) await peer.ask();
    // It was swapped for one that keeps a checkpoint, and has said so.
    if (subscription.kind === 'checkpointed') return;
  }
  peer.delivered(batch.events);
  subscription.advance(positionOf(batch.upto));
  // Not before an answer: it may be a checkpointed one that could not say so.
  if (subscription.order) await subscription.orderTaken();
}

/**
 * A plain subscriber that answers questions, and leaves this one event without an answer: it hangs, or crashes, on the event.
 * A checkpointed one is never taken for that: a restart at the wrong moment looks the same.
 */
async function unanswered(peer: Peer, error: Error, event: Entry): Promise<void> {
  if (!(error instanceof NoAnswer && error.heard)) throw error;
  await peer.parkAfter(SILENCES, event, `not answered ${SILENCES} times: ${reason(error)}`, error);
}
