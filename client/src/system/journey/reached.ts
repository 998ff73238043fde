// Finds the subscribers that an event has reached.

import type { Subscription } from '../bus.ts';
import { readDeliveries } from '../requests.ts';
import type { Reached } from './journey-of.ts';

/**
 * Reads the deliveries of an event. `subscriptions` were read before: one whose position was past the event, without a
 * delivery, got the event before the bus last started, or too long ago, or it was parked.
 */
export async function readReached(position: number, subscriptions: readonly Subscription[]): Promise<Reached> {
  const past = subscriptions.filter((subscription) => subscription.position >= position);
  const arrivals = await readDeliveries(position);
  return {
    arrivals,
    passed: past.map(({ name }) => name).filter((name) => !hasReached({ arrivals, passed: [] }, name)),
  };
}

const hasReached = ({ arrivals, passed }: Reached, name: string): boolean =>
  passed.includes(name) || arrivals.some(({ subscription }) => subscription === name);

/** The polling interval in milliseconds. Once an event is everywhere, only a replay delivers it again. */
export const pollEvery = (isEverywhere: boolean): number => (isEverywhere ? 30_000 : 1_000);

/** The subscriptions that the event has not reached. */
export const missingOf = (reached: Reached, subscriptions: readonly Subscription[]): Subscription[] =>
  subscriptions.filter(({ name }) => !hasReached(reached, name));

export const isEverywhere = (reached: Reached | undefined, subscriptions: readonly Subscription[]): boolean =>
  reached !== undefined && subscriptions.length > 0 && missingOf(reached, subscriptions).length === 0;
