// Reconstructs a comment's journey through the parts from its events.

import type { Note } from '../../shared/journey-notes.ts';
import { fieldsOf, oneOf } from '../../shared/parse.ts';
import type { LogEntry } from '../bus.ts';
import type { Reached } from './reached.ts';

/** A side effect of a step: an answer or a delivery. `after`: milliseconds since the step. */
type Branch = { who: string; at: number | undefined; after: number | undefined; attempts: number };

export type Step = {
  name: 'sent' | 'written' | 'logged' | 'judged' | 'updated' | 'readable' | 'shown';
  /** `waiting`: expected next. `unknown`: it must have happened, but the log does not contain it. */
  state: 'done' | 'waiting' | 'unknown';
  who: string;
  /** Milliseconds since 1970; undefined if unknown. */
  at: number | undefined;
  /** Milliseconds since the latest step before it, at least 0; undefined if unknown. */
  gap: number | undefined;
  /** Its time is earlier than that of a step before it: clock skew, or answers out of order. */
  early: boolean;
  /** The event that this step made or appended. */
  entry: LogEntry | undefined;
  branches: readonly Branch[];
  passed: readonly string[];
  attempts: number;
};

const NOBODY: Reached = { arrivals: [], passed: [] };

/** Matches the subscriptions of query: `query`, or those of its copies, `query-0`, `query-1`, … */
const isQuery = (subscription: string) => /^query(-\d+)?$/.test(subscription);

/** The verdict that an event carries, if any. */
export function verdictOf({ data }: LogEntry): 'approved' | 'rejected' | undefined {
  return oneOf(fieldsOf(data).status, ['approved', 'rejected'] as const, undefined);
}

/** The three main events. Of several of one type the first one counts, as in the services. */
function mainOf(entries: readonly LogEntry[]) {
  const first = entries.toSorted((a, b) => a.position - b.position);
  return {
    created: first.find(({ type }) => type === 'CommentCreated'),
    moderated: first.find((entry) => entry.type === 'CommentModerated' && verdictOf(entry)),
    updated: first.find((entry) => entry.type === 'CommentUpdated' && verdictOf(entry)),
  };
}

/** Those of the three main events that are known. */
export const mainEvents = (entries: readonly LogEntry[]): LogEntry[] =>
  Object.values(mainOf(entries)).filter((entry) => entry !== undefined);

/**
 * The journey of a comment, from its `POST` to the verdict on the page, as far as it is known from its events, their
 * deliveries and this page's notes. A missing step is `waiting` if it is the last, and `unknown` if later ones are
 * known.
 */
export function journeyOf(
  entries: readonly LogEntry[],
  reached: ReadonlyMap<number, Reached>,
  note: Note = {},
): Step[] {
  const { created, moderated, updated } = mainOf(entries);
  const hasEnded = updated !== undefined || note.shownAt !== undefined;
  const steps: Step[] = [];
  const done = (name: Step['name'], who: string, at: number | undefined, more: Partial<Step> = {}) =>
    steps.push({ ...BARE, name, who, at, ...more });
  const missing = (name: Step['name'], who: string, isKnownLater: boolean) =>
    steps.push({ ...BARE, name, who, state: isKnownLater ? 'unknown' : 'waiting' });
  const logged = (entry: LogEntry) => {
    const at = timeOf(entry.recordedtime);
    // The read model's delivery of the verdict is a step of its own.
    const isShown = (name: string) => entry !== updated || !isQuery(name);
    const { arrivals, passed } = reached.get(entry.position) ?? NOBODY;
    const branches = arrivals
      .filter(({ subscription }) => isShown(subscription))
      .map(({ subscription, deliveredAt, attempts }) => branchOf(subscription, timeOf(deliveredAt), at, attempts))
      .sort((a, b) => (a.at ?? 0) - (b.at ?? 0));
    done('logged', 'event-bus', at, { entry, branches, passed: passed.filter(isShown) });
  };

  if (note.sentAt !== undefined) done('sent', 'client', note.sentAt, { attempts: note.tries ?? 1 });
  if (created || note.answeredAt !== undefined) {
    const at = timeOf(created?.time ?? note.createdAt ?? undefined);
    const branches = note.answeredAt === undefined ? [] : [branchOf('client', note.answeredAt, at ?? note.sentAt)];
    done('written', created?.source ?? 'comments', at, { entry: created, branches });
  } else missing('written', 'comments', hasEnded || moderated !== undefined);
  if (created) logged(created);
  else if (note.answeredAt !== undefined) missing('logged', 'event-bus', hasEnded || moderated !== undefined);

  if (moderated) {
    done('judged', moderated.source, timeOf(moderated.time), { entry: moderated });
    logged(moderated);
  } else if (created || updated) missing('judged', 'moderation', hasEnded);
  if (updated) {
    done('updated', updated.source, timeOf(updated.time), { entry: updated });
    logged(updated);
    const { arrivals, passed } = reached.get(updated.position) ?? NOBODY;
    const ofQuery = arrivals
      .filter(({ subscription }) => isQuery(subscription))
      .toSorted((a, b) => (timeOf(a.deliveredAt) ?? 0) - (timeOf(b.deliveredAt) ?? 0));
    const past = passed.filter(isQuery);
    // The first copy that has it is the step, the others follow it.
    const who = ofQuery[0]?.subscription ?? past[0] ?? 'query';
    const at = timeOf(ofQuery[0]?.deliveredAt);
    const branches = ofQuery
      .slice(1)
      .map((one) => branchOf(one.subscription, timeOf(one.deliveredAt), at, one.attempts));
    const isThere = ofQuery.length > 0 || past.length > 0 || note.shownAt !== undefined;
    const more = { attempts: ofQuery[0]?.attempts ?? 1, branches, passed: past.filter((name) => name !== who) };
    if (isThere) done('readable', who, at, more);
    else missing('readable', 'query', false);
  } else if (moderated) missing('updated', 'comments', note.shownAt !== undefined);
  if (note.shownAt !== undefined) done('shown', 'client', note.shownAt);

  return withGaps(steps);
}

const NO_TIME = { at: undefined, gap: undefined, early: false };
const BARE = { ...NO_TIME, state: 'done', entry: undefined, branches: [], passed: [], attempts: 1 } as const;

const timeOf = (text: string | undefined): number | undefined => Date.parse(text ?? '') || undefined;

const branchOf = (who: string, at: number | undefined, since: number | undefined, attempts = 1): Branch => ({
  ...{ who, at, attempts },
  after: at === undefined || since === undefined ? undefined : Math.max(0, at - since),
});

/** Gaps count from the latest time so far, so that they add up to the whole duration. */
function withGaps(steps: Step[]): Step[] {
  let latest: number | undefined;
  return steps.map((step) => {
    if (step.at === undefined) return step;
    const gap = latest === undefined ? undefined : Math.max(0, step.at - latest);
    const early = latest !== undefined && step.at < latest;
    latest = Math.max(latest ?? step.at, step.at);
    return { ...step, gap, early };
  });
}
