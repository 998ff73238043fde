// Finds the subscribers that an event has reached.

import type { Arrival, Subscription } from '../bus.ts';
import { readDeliveries } from '../requests.ts';

/** `passed`: the subscriptions whose position is past the event, without a delivery that the bus remembers. */
export type Reached = { arrivals: readonly Arrival[]; passed: readonly string[] };

export const TIME_UNKNOWN =
  'Time unknown: the bus remembers deliveries only in memory, for the newest 10,000 events since its last start. An event that was parked as a dead letter has none either.';

/** Reads the deliveries of an event. `subscriptions` were read before, so that a later delivery is not missed. */
export async function readReached(position: number, subscriptions: readonly Subscription[]): Promise<Reached> {
  const arrivals = await readDeliveries(position);
  const missing = missingOf({ arrivals, passed: [] }, subscriptions);
  return { arrivals, passed: missing.filter((one) => one.position >= position).map(({ name }) => name) };
}

/** The subscriptions that the event has not reached, but for those of copies that are gone. */
export const missingOf = ({ arrivals, passed }: Reached, subscriptions: readonly Subscription[]): Subscription[] =>
  subscriptions.filter(
    ({ name, state }) =>
      state !== 'gone' && !passed.includes(name) && !arrivals.some((one) => one.subscription === name),
  );

export const isEverywhere = (reached: Reached | undefined, subscriptions: readonly Subscription[]): boolean =>
  reached !== undefined && subscriptions.length > 0 && missingOf(reached, subscriptions).length === 0;

/** The polling interval in milliseconds. Once an event is everywhere, only a replay delivers it again. */
export const pollEvery = (isEverywhere: boolean): number => (isEverywhere ? 30_000 : 1_000);
