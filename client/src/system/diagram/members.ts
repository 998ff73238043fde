// The nodes of the diagram: the parts and foreign subscribers, and their health.

import type { Subscription } from '../bus.ts';
import { PARTS, type PartName, type PartState } from '../requests.ts';
import { type Lag, lagOf, takingRate } from '../subscribers/samples.ts';
import type { SystemState } from '../system-store.ts';
import type { Publishing } from './publishing.ts';

/** The parts that the page sends requests to; those that publish are assumed to. Others are found from the events. */
const REQUESTED = ['posts', 'comments', 'query'];
const PUBLISHERS = ['posts', 'comments', 'moderation'];
/** The source of events that no subscriber publishes. */
export const OTHERS = 'others';

/** A node's health: a word for it, its severity, and the reasons. */
export type Health = { word: string; tone: 'good' | 'warn' | 'bad' | 'none'; reasons: string[] };

export type Member = {
  name: string;
  health: Health;
  requested: boolean;
  /** Events per second; undefined for a node that publishes none. */
  publishing: number | undefined;
  /** Undefined for a node without a subscription. */
  taking: { subscription: Subscription; lag: Lag; rate: number } | undefined;
};

/** The nodes besides client and bus: the parts, every other subscriber, and all other sources together. */
export function membersOf(state: SystemState, publishing: Publishing): Member[] {
  const sources = new Set([...publishing.sources, ...state.recent.map(({ source }) => source)]);
  const services = PARTS.filter((name) => name !== 'client' && name !== 'event-bus');
  const subscriptions = new Map(state.subscriptions.map((one) => [one.name, one]));
  const names = [...new Set([...services, ...subscriptions.keys()])];
  const members = names.map((name) => {
    const subscription = subscriptions.get(name);
    const samples = state.history.get(name) ?? [];
    const publishes = sources.has(name) || PUBLISHERS.includes(name);
    return {
      name,
      health: services.some((service) => service === name)
        ? partHealth(state, name as PartName, subscription)
        : subscriberHealth(subscription),
      requested: REQUESTED.includes(name),
      publishing: publishes ? publishing.rate(name, performance.now()) : undefined,
      taking: subscription && { subscription, lag: lagOf(samples), rate: takingRate(samples) },
    };
  });
  const foreign = [...sources].filter((source) => !names.includes(source));
  return foreign.length > 0 ? [...members, others(foreign, publishing)] : members;
}

function others(sources: string[], publishing: Publishing): Member {
  const rates = sources.map((source) => publishing.rate(source, performance.now()));
  const word = sources.length === 1 ? (sources[0] as string) : `${sources.length} sources`;
  const health: Health = { word, tone: 'none', reasons: [`It publishes: ${sources.slice(0, 20).join(', ')}.`] };
  const rate = rates.reduce((sum, one) => sum + one, 0);
  return { name: OTHERS, health, requested: false, publishing: rate, taking: undefined };
}

/** A part's health: its own readiness, and the bus's view of its subscription. Unknown while the gateway is away. */
export function partHealth(state: SystemState, name: PartName, subscription?: Subscription): Health {
  const part = state.parts.get(name);
  const gateway = state.parts.get('client');
  if (name !== 'client' && gateway?.state === 'away') return { word: 'unknown', tone: 'none', reasons: [] };
  if (!part) return { word: 'asking…', tone: 'none', reasons: [] };
  return withDelivery(ownHealth(part), subscription);
}

function ownHealth(part: PartState): Health {
  if (part.state === 'away') return { word: 'away', tone: 'bad', reasons: ['It does not answer.'] };
  if (part.state === 'not ready') return { word: 'not ready', tone: 'bad', reasons: [part.reason] };
  if (part.degraded.length > 0) return { word: 'degraded', tone: 'warn', reasons: part.degraded };
  return { word: 'ready', tone: 'good', reasons: [] };
}

/** A foreign subscriber's health, known only from the bus. */
function subscriberHealth(subscription?: Subscription): Health {
  const tone = subscription?.state === 'live' ? 'good' : 'warn';
  return withDelivery(
    { word: tone === 'good' ? 'ready' : (subscription?.state ?? ''), tone, reasons: [] },
    subscription,
  );
}

function withDelivery(health: Health, subscription?: Subscription): Health {
  if (!subscription?.lastError) return health;
  return { ...health, reasons: [...health.reasons, `The bus: ${subscription.lastError.replace(/\.$/, '')}.`] };
}
