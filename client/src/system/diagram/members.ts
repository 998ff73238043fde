// The nodes of the diagram: the parts, foreign subscribers and other senders of events, with their health.

import { byService, countOf, type Subscription, slowestOf, worstState } from '../bus.ts';
import { PARTS, type PartName } from '../requests.ts';
import { type Lag, lagOf, lagText, takingRate } from '../subscribers/samples.ts';
import type { SystemState } from '../system-store.ts';
import { quorumOf, quorumTroubles } from './quorum.ts';

/** The parts that the page sends requests to; those that publish are assumed to. Others are found from the events. */
const REQUESTED = ['posts', 'comments', 'query'];
const PUBLISHERS = ['posts', 'comments', 'moderation'];
/** The sources of events that have no subscription, together. */
export const OTHERS = 'others';
/** The source by which the bus records an event that names none. */
const UNNAMED = 'classic';
const ONLY_SEND = {
  name: OTHERS,
  copies: 1,
  place: 'subscribed',
  word: 'only send',
  tone: 'none',
  reasons: [],
} as const;
const DETAILS: Record<string, string[]> = { client: ['The page and the gateway, the single way in.'] };

/** A node's state in a word, its severity, and sentences about it. */
type Health = { word: string; tone: 'good' | 'warn' | 'bad' | 'none'; reasons: readonly string[] };

export type Member = Health & {
  name: string;
  /** The number of its copies. */
  copies: number;
  place: 'pillar' | 'requested' | 'subscribed';
  /** Sentences that the table has as numbers. */
  details: string[];
  /** Events per second; undefined for a node that publishes none. */
  publishing?: number;
  /** The worst state and the slowest position of its copies. Undefined for a node without a subscription. */
  taking?: { state: string; position: number; lag: Lag; rate: number };
};

/** All nodes: client, services, every other subscriber, all other sources together, and the bus. */
export function membersOf(state: SystemState): Member[] {
  const sources = [...state.sources.keys()];
  // The stream of the log tells; a foreign bus has none.
  const publishing = (source: string) =>
    state.bus === 'foreign' ? Number.NaN : takingRate(state.sources.get(source) ?? []);
  const services = byService(state.subscriptions);
  const names = [...new Set<string>([...PARTS, ...services.keys()])].filter((name) => name !== 'event-bus');
  const others = sources.filter((source) => !names.includes(source));
  const members = names.map((name): Member => {
    const subscriptions = services.get(name) ?? [];
    const [health, details] = [healthOf(state, name, subscriptions), DETAILS[name] ?? []];
    const member: Member = { name, copies: countOf(subscriptions), place: placeOf(name), ...health, details };
    if (sources.includes(name) || PUBLISHERS.includes(name)) member.publishing = publishing(name);
    const slowest = slowestOf(subscriptions);
    if (!slowest) return member;
    const lagFor = ({ name }: Subscription) => lagOf(state.history.get(name) ?? []);
    const about = (copy: Subscription, text: string) => (subscriptions.length > 1 ? `${text} ${copy.name}` : text);
    const deliveries = subscriptions.map((copy) => {
      const state = copy.replay ? 'replaying' : copy.state;
      return `${about(copy, 'Delivery')}: ${state}, at position ${copy.position.toLocaleString()}, ${lagText(lagFor(copy))}.`;
    });
    const errors = subscriptions.flatMap((copy) =>
      copy.lastError ? [`${about(copy, 'The bus')}: ${copy.lastError.replace(/\.$/, '')}.`] : [],
    );
    const delivery = subscriptions.some(({ replay }) => replay) ? 'replaying' : worstState(subscriptions);
    const rate = takingRate(state.history.get(slowest.name) ?? []);
    const taking = { state: delivery, position: slowest.position, lag: lagFor(slowest), rate };
    return { ...member, reasons: [...member.reasons, ...errors], details: deliveries, taking };
  });
  const quorum = quorumOf(state.parts);
  const copies = quorum?.copies.length ?? 1;
  const bus = { name: 'event-bus', copies, place: placeOf('event-bus'), ...healthOf(state, 'event-bus') };
  const head = state.head > 0 ? [`The newest event in its log is at position ${state.head.toLocaleString()}.`] : [];
  if (others.length > 0) {
    const rate = others.reduce((sum, source) => sum + publishing(source), 0);
    members.push({ ...ONLY_SEND, details: [sendersText(others)], publishing: rate });
  }
  return [...members, { ...bus, details: head }];
}

function sendersText(sources: string[]): string {
  const named = sources.slice(0, 20).map((source) => (source === UNNAMED ? 'senders that give no name' : source));
  return `Events come from ${named.join(', ')}. No events are delivered there.`;
}

function placeOf(name: string): Member['place'] {
  if (name === 'client' || name === 'event-bus') return 'pillar';
  return REQUESTED.includes(name) ? 'requested' : 'subscribed';
}

const GOOD: Health = { word: 'ready', tone: 'good', reasons: [] };

/**
 * A part's health by its own readiness, unknown while the gateway is away; a foreign subscriber's by the bus's view. Of
 * copies only one answers through the gateway: the bus knows the others.
 */
function healthOf({ parts, bus }: SystemState, name: string, copies: readonly Subscription[] = []): Health {
  const part = parts.get(name as PartName);
  const count = countOf(copies);
  const live = copies.filter(({ state }) => state === 'live').length;
  if (!PARTS.some((known) => known === name)) {
    const state = worstState(copies);
    return state === 'live' ? GOOD : { word: state ?? '', tone: 'warn', reasons: [] };
  }
  if (name !== 'client' && parts.get('client')?.state === 'away')
    return { word: 'unknown', tone: 'none', reasons: ['The client does not answer, so it cannot be asked.'] };
  if (!part) return { word: 'asking…', tone: 'none', reasons: [] };
  if (part.state === 'away' || (name === 'event-bus' && bus === 'away'))
    return { word: 'away', tone: 'bad', reasons: ['It does not answer.'] };
  const troubles = name === 'event-bus' && part.quorum ? quorumTroubles(part.quorum) : [];
  if (part.state === 'not ready') return { word: 'not ready', tone: 'bad', reasons: [part.reason, ...troubles] };
  if (count > 1 && live < count && bus === 'here')
    return { word: `${live} of ${count} live`, tone: 'warn', reasons: part.degraded };
  const reasons = [...part.degraded, ...troubles];
  return reasons.length > 0 ? { word: 'problem', tone: 'warn', reasons } : GOOD;
}
