// The metrics of the bus: counters of its steps, and gauges of the log and the subscriptions, a few rows however long it is.
import type { Database } from '@blog/common/core/database.ts';
import { EVENT_TYPES } from '@blog/common/core/events.ts';
import type { Metrics } from '@blog/common/observe/metrics.ts';
import { copyOf } from './copies.ts';
import { countLetters } from './dead-letters.ts';
import { newest } from './log.ts';
import { lagOf, STATES, stateOf } from './standing.ts';
import type { Subscriptions } from './subscriptions.ts';

export function addMetrics(metrics: Metrics, db: Database, subscriptions: Subscriptions): void {
  metrics.countStep('logged', [...EVENT_TYPES, 'other']);
  const counters = (['answered', 'parked', 'failed'] as const).map((step) => metrics.countStep(step));
  subscriptions.onChange((event, subscription) => {
    for (const counter of counters)
      event === 'known' ? counter.inc({ subscription }, 0) : counter.remove({ subscription });
  });

  const lags = <K extends 'lag' | 'lagSeconds'>(key: K) =>
    db.read((tx) => subscriptions.all.map((one) => [{ subscription: one.name }, lagOf(tx, one)[key]] as const));
  const letters = () =>
    db.read((tx) => subscriptions.all.map(({ name }) => [{ subscription: name }, countLetters(tx, name)] as const));
  const states = () =>
    subscriptions.all.flatMap((one) =>
      STATES.map((state) => [{ subscription: one.name, state }, Number(state === stateOf(one))] as const),
    );
  const copies = () =>
    Object.entries(Object.groupBy(subscriptions.all, ({ name }) => copyOf(name).service)).flatMap(
      ([service, all = []]) =>
        STATES.map((state) => [{ service, state }, all.filter((one) => stateOf(one) === state).length] as const),
    );
  const labels = ['subscription'];
  metrics.gauge('log_events', 'The newest position of the log.', async () => (await db.read(newest)).position);
  metrics.gauge('subscription_lag_events', 'Consumer lag: events behind the position.', () => lags('lag'), labels);
  const age = 'The age of the first event behind the position; 0 if there is none.';
  metrics.gauge('subscription_lag_seconds', age, () => lags('lagSeconds'), labels);
  metrics.gauge('dead_letters', 'Events that are parked, counted up to 10,000.', letters, labels);
  metrics.gauge('subscription_state', '1 for the present state, 0 for the others.', states, [...labels, 'state']);
  metrics.gauge('subscription_copies', 'Copies of a service in this state.', copies, ['service', 'state']);
}
