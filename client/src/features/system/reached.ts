import type { Subscription } from '../../api/bus.ts';
import { readDeliveries } from '../../api/system.ts';
import type { Reached } from './journey-of.ts';

export const NOBODY: Reached = { arrivals: [], passed: [] };

/**
 * Asks who has got an event. `subscriptions` were read before: who stood behind the event by then, and has no delivery, got it
 * before the bus last started, or too long ago, or it was parked.
 */
export async function readReached(position: number, subscriptions: readonly Subscription[]): Promise<Reached> {
  const behind = subscriptions.filter((subscription) => subscription.position >= position).map(({ name }) => name);
  const arrivals = await readDeliveries(position);
  const got = new Set(arrivals.map(({ subscription }) => subscription));
  return { arrivals, passed: behind.filter((name) => !got.has(name)) };
}

/** Whether every subscriber has it. */
export function isEverywhere({ arrivals, passed }: Reached, subscriptions: readonly Subscription[]): boolean {
  const names = new Set([...arrivals.map(({ subscription }) => subscription), ...passed]);
  return subscriptions.length > 0 && subscriptions.every(({ name }) => names.has(name));
}
