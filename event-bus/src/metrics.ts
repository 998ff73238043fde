import type { Database } from '@blog/common/core/database.ts';
import { EVENT_TYPES } from '@blog/common/core/events.ts';
import type { Metrics } from '@blog/common/observe/metrics.ts';
import { countLetters } from './dead-letters.ts';
import { type Delivery, STATES } from './delivery.ts';
import { newest } from './log.ts';

const EVENTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];

/** What the bus counts: once it is committed, or answered. */
export const createCounts = (metrics: Metrics, names: string[]) => ({
  published: metrics.counter('events_published_total', 'Events that are new in the log.', 'type', [
    ...EVENT_TYPES,
    'other',
  ]),
  delivered: metrics.counter('events_delivered_total', 'Events that a subscriber took.', 'subscription', names),
  parked: metrics.counter('events_parked_total', 'Events that became dead letters.', 'subscription', names),
  failures: metrics.counter('delivery_failures_total', 'Deliveries that failed.', 'subscription', names),
  pushed: metrics.histogram('push_events', 'How many events a push had that was taken.', EVENTS),
});
export type Counts = ReturnType<typeof createCounts>;

/** How the log and the subscriptions stand, read when somebody asks: a few rows, however long the log is. */
export function addGauges(metrics: Metrics, db: Database, loops: Delivery[]): void {
  const stored = {
    log_events: 'The newest position of the log.',
    subscription_lag_events: 'How many events of the log are behind its position.',
    subscription_lag_seconds: 'How long ago the first of them was made; 0 if there is none.',
    dead_letters: 'Events that are parked, counted up to 10,000.',
  };
  const read = () =>
    db.read((tx) => {
      const standing = loops.map((loop) => ({ labels: { subscription: loop.name }, ...loop.standing(tx) }));
      return {
        log_events: newest(tx).position,
        subscription_lag_events: standing.map(({ labels, lag }) => [labels, lag] as const),
        subscription_lag_seconds: standing.map(({ labels, lagSeconds }) => [labels, lagSeconds] as const),
        dead_letters: standing.map(({ labels }) => [labels, countLetters(tx, labels.subscription)] as const),
      };
    });
  metrics.gauges(stored, read, ['subscription']);

  const states = () =>
    loops.flatMap(({ name, state: now }) =>
      STATES.map((state) => [{ subscription: name, state }, Number(state === now)] as const),
    );
  const help = { subscription_state: '1 for the state that it is in, 0 for the others.' };
  metrics.gauges(help, () => ({ subscription_state: states() }), ['subscription', 'state']);
}
