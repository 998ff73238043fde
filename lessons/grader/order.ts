// The order in which a run is drawn. What happens at the same time is seen now in one order, now in another; a report must not
// change by that. So the order of each pair of processes is kept, and the pairs are merged always in the same way.
import type { Entry } from './recorder.ts';

/** An event of a process. Everything before it is drawn before it. */
const isBarrier = ({ kind }: Entry) => !['request', 'answer', 'no answer'].includes(kind);

/** The entries of a run of this graded program in an order that two runs have in common; repeated exchanges are left out. */
export function inOrder(entries: Entry[], graded: string): Entry[] {
  const requests = new Map(entries.flatMap((entry) => (entry.kind === 'request' ? [[entry.exchange, entry]] : [])));
  const segments: Entry[][] = [[]];
  const segmentOf = new Map<number | undefined, number>();
  for (const entry of entries) {
    if (isBarrier(entry)) segments.push([entry], []);
    else {
      const now = segments.length - 1;
      if (entry.kind === 'request') segmentOf.set(entry.exchange, now);
      const asked = segmentOf.get(entry.exchange) ?? now;
      // The end of a connection is noticed a moment after the kill that caused it, perhaps after the next start.
      const isCut = entry.kind === 'no answer' && segments[asked + 1]?.[0]?.kind === 'kill';
      segments[isCut ? asked + 2 : now]?.push(entry);
    }
  }
  const known = new Set<string>();
  const fromGrader = new Set(entries.filter(({ kind, to }) => kind === 'request' && to === graded).flatMap(keysOf));
  return segments.flatMap((segment) => merge(chainsOf(segment, requests, graded), known, fromGrader));
}

const keysOf = ({ events = [] }: Entry) => events;

type Chain = { isGraders: boolean; entries: Entry[] };

/** The exchanges by who began them: the grader, one after the other, or the program, with each of the others. */
function chainsOf(segment: Entry[], requests: Map<number | undefined, Entry>, graded: string): Chain[] {
  const chains = new Map<string, Chain>();
  for (const entry of segment) {
    const { from, to } = requests.get(entry.exchange) ?? entry;
    const isGraders = to === graded || to === undefined;
    // Publishers with numbers publish at once.
    const name = isGraders ? (/\d$/.test(from) ? from : '') : `${from} ${to}`;
    const chain = chains.get(name) ?? { isGraders, entries: [] };
    chain.entries.push(entry);
    chains.set(name, chain);
  }
  const sorted = [...chains].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([, chain]) => ({ ...chain, entries: withoutRepetition(chain.entries) }));
}

/** A retry that ends as the attempt before it is left out. */
function withoutRepetition(entries: Entry[]): Entry[] {
  const kept: Entry[] = [];
  for (let i = 0; i < entries.length; i += 1) {
    const [a, b, c, d] = [kept.at(-2), kept.at(-1), entries[i], entries[i + 1]];
    // An event that was taken twice is no retry: it may be what the report is about.
    const isRetry = b?.kind === 'no answer' || !/^2/.test(b?.text ?? '') || keysOf(b as Entry).length === 0;
    if (isRetry && a && b && c && d && a.kind === 'request' && isSame(a, c) && isSame(b, d)) i += 1;
    else if (c) kept.push(c);
  }
  return kept;
}

const isSame = (a: Entry, b: Entry) =>
  a.kind === b.kind && a.from === b.from && a.to === b.to && a.text === b.text && String(a.events) === String(b.events);

/** Merges: what the program does with an event comes as soon as the program has the event. `known` grows. */
function merge(chains: Chain[], known: Set<string>, fromGrader: Set<string>): Entry[] {
  const merged: Entry[] = [];
  const isCaused = (entry: Entry) =>
    entry.kind !== 'request' || keysOf(entry).every((key) => known.has(key) || !fromGrader.has(key));
  for (;;) {
    const open = chains.filter(({ entries }) => entries.length > 0);
    const next =
      open.find(({ isGraders, entries: [head] }) => !isGraders && head && isCaused(head)) ??
      open.find(({ isGraders }) => isGraders) ??
      open[0];
    const entry = next?.entries.shift();
    if (!entry) return merged;
    if (entry.kind === 'request' && next?.isGraders) for (const key of keysOf(entry)) known.add(key);
    merged.push(entry);
  }
}
