// The standing of a subscription, as a person and the metrics see it: its state and its lag.
import { positionOf } from '@blog/common/core/checkpoint.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import { copyOf } from './copies.ts';
import { head, readBehind } from './log.ts';
import type { Subscription } from './subscription.ts';

export const STATES = ['starting', 'live', 'retrying', 'paused', 'diverged', 'gone'] as const;

export function stateOf({ isGone, paused, divergence, failures, kind }: Subscription): (typeof STATES)[number] {
  if (isGone) return 'gone';
  if (paused) return 'paused';
  if (divergence) return 'diverged';
  if (failures.count > 0) return 'retrying';
  return kind === 'unknown' ? 'starting' : 'live';
}

/** The consumer lag: `lag` in events, `lagSeconds` since the first of them was made. */
export function lagOf(tx: Tx, { position }: Subscription) {
  const lag = positionOf(head(tx)) - position;
  const seconds = lag > 0 ? (Date.now() - timeBehind(tx, position)) / 1_000 : 0;
  return { position, lag, lagSeconds: Math.max(0, Math.round(seconds)) };
}

/** The time of the next event; now, if it cannot be read, which is reported elsewhere. */
function timeBehind(tx: Tx, position: number): number {
  try {
    const [next] = readBehind(tx, position, 1);
    return Date.parse(JSON.parse(next?.record ?? '').time);
  } catch {
    return Date.now();
  }
}

/** A subscription as `GET /subscriptions` answers it. */
export function statusOf(tx: Tx, subscription: Subscription): object {
  const { name, url, kind, order, divergence, failures } = subscription;
  return {
    ...{ name, service: copyOf(name).service, url, kind },
    ...lagOf(tx, subscription),
    state: stateOf(subscription),
    replay: order ?? null,
    lastError: divergence ?? failures.reason ?? null,
    nextAttempt: (stateOf(subscription) === 'retrying' && failures.nextAttempt) || null,
  };
}
