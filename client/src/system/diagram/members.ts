// The nodes of the diagram: the parts, foreign subscribers and other senders of events, with their health.

import { PARTS, type PartName } from '../requests.ts';
import { type Lag, lagOf, lagText, takingRate } from '../subscribers/samples.ts';
import type { SystemState } from '../system-store.ts';

/** The parts that the page sends requests to; those that publish are assumed to. Others are found from the events. */
const REQUESTED = ['posts', 'comments', 'query'];
const PUBLISHERS = ['posts', 'comments', 'moderation'];
/** The sources of events that have no subscription, together. */
export const OTHERS = 'others';
/** The source by which the bus records an event that names none. */
const UNNAMED = 'classic';
const ONLY_SEND = { name: OTHERS, place: 'subscribed', word: 'only send', tone: 'none', reasons: [] } as const;
const DETAILS: Record<string, string[]> = { client: ['The page and the gateway, the single way in.'] };

/** A node's state in a word, its severity, and sentences about it. */
type Health = { word: string; tone: 'good' | 'warn' | 'bad' | 'none'; reasons: readonly string[] };

export type Member = Health & {
  name: string;
  place: 'pillar' | 'requested' | 'subscribed';
  /** Sentences that the table has as numbers. */
  details: string[];
  /** Events per second; undefined for a node that publishes none. */
  publishing?: number;
  /** Undefined for a node without a subscription. */
  taking?: { state: string; position: number; lag: Lag; rate: number };
};

/** All nodes: client, services, every other subscriber, all other sources together, and the bus. */
export function membersOf(state: SystemState): Member[] {
  const sources = [...state.sources.keys()];
  const publishing = (source: string) => takingRate(state.sources.get(source) ?? []);
  const subscribers = state.subscriptions.map(({ name }) => name);
  const names = [...new Set<string>([...PARTS, ...subscribers])].filter((name) => name !== 'event-bus');
  const others = sources.filter((source) => !names.includes(source));
  const members = names.map((name): Member => {
    const member: Member = { name, place: placeOf(name), ...healthOf(state, name), details: DETAILS[name] ?? [] };
    if (sources.includes(name) || PUBLISHERS.includes(name)) member.publishing = publishing(name);
    const subscription = state.subscriptions.find((one) => one.name === name);
    if (!subscription) return member;
    const { replay, position, lastError } = subscription;
    const samples = state.history.get(name) ?? [];
    const [lag, delivery] = [lagOf(samples), replay ? 'replaying' : subscription.state];
    const text = `Delivery: ${delivery}, at position ${position.toLocaleString()}, ${lagText(lag)}.`;
    const reasons = [...member.reasons, ...(lastError ? [`The bus: ${lastError.replace(/\.$/, '')}.`] : [])];
    const taking = { state: delivery, position, lag, rate: takingRate(samples) };
    return { ...member, reasons, details: [text], taking };
  });
  const bus = { name: 'event-bus', place: placeOf('event-bus'), ...healthOf(state, 'event-bus') };
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

/** A part's health by its own readiness, unknown while the gateway is away; a foreign subscriber's by the bus's view. */
function healthOf({ parts, bus, subscriptions }: SystemState, name: string): Health {
  const part = parts.get(name as PartName);
  if (!PARTS.some((known) => known === name)) {
    const state = subscriptions.find((one) => one.name === name)?.state;
    return state === 'live' ? GOOD : { word: state ?? '', tone: 'warn', reasons: [] };
  }
  if (name !== 'client' && parts.get('client')?.state === 'away')
    return { word: 'unknown', tone: 'none', reasons: ['The client does not answer, so it cannot be asked.'] };
  if (!part) return { word: 'asking…', tone: 'none', reasons: [] };
  if (part.state === 'away' || (name === 'event-bus' && bus === 'away'))
    return { word: 'away', tone: 'bad', reasons: ['It does not answer.'] };
  if (part.state === 'not ready') return { word: 'not ready', tone: 'bad', reasons: [part.reason] };
  return part.degraded.length > 0 ? { word: 'problem', tone: 'warn', reasons: part.degraded } : GOOD;
}
