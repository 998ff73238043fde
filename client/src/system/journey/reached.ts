// Finds the subscribers that an event has reached.

import type { Subscription } from '../bus.ts';
import { readDeliveries } from '../requests.ts';
import type { Reached } from './journey-of.ts';

export const NOBODY: Reached = { arrivals: [], passed: [] };

/**
 * Reads the deliveries of an event. `subscriptions` were read before: one whose position was past the event, without a
 * delivery, got the event before the bus last started, or too long ago, or it was parked.
 */
export async function readReached(position: number, subscriptions: readonly Subscription[]): Promise<Reached> {
  const behind = subscriptions.filter((subscription) => subscription.position >= position).map(({ name }) => name);
  const arrivals = await readDeliveries(position);
  const got = new Set(arrivals.map(({ subscription }) => subscription));
  return { arrivals, passed: behind.filter((name) => !got.has(name)) };
}

/** True if the event has reached every subscriber. */
export function isEverywhere({ arrivals, passed }: Reached, subscriptions: readonly Subscription[]): boolean {
  const names = new Set([...arrivals.map(({ subscription }) => subscription), ...passed]);
  return subscriptions.length > 0 && subscriptions.every(({ name }) => names.has(name));
}
