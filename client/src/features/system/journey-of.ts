import type { Arrival, LogEntry } from '../../api/bus.ts';
import type { Note } from '../../api/journey-notes.ts';

/** Who has an event. `passed`: these stand behind its position, but nobody remembers a delivery. */
export type Reached = { arrivals: readonly Arrival[]; passed: readonly string[] };

/** What happened beside the way, or just after the step: an answer, a delivery. `after`: milliseconds since the step. */
export type Branch = { who: string; at: number | undefined; after: number | undefined; attempts: number };

export type Step = {
  name: 'sent' | 'written' | 'logged' | 'judged' | 'updated' | 'readable' | 'shown';
  /** Not yet: it is waited for. Unknown: it must have been, but the log does not have it. */
  state: 'done' | 'waiting' | 'unknown';
  who: string;
  /** In milliseconds since 1970; undefined if nobody knows. */
  at: number | undefined;
  /** Milliseconds since the steps before it, never below 0: undefined if that is not known. */
  gap: number | undefined;
  /** It bears an earlier time than a step before it: the clocks, or the order of answers, differ a little. */
  early: boolean;
  /** The event that was made, or logged, in this step. */
  entry: LogEntry | undefined;
  branches: Branch[];
  passed: readonly string[];
  attempts: number;
};

const NOBODY: Reached = { arrivals: [], passed: [] };

/** A verdict, if that is what the event brings. */
export function verdictOf({ data }: LogEntry): 'approved' | 'rejected' | undefined {
  const status = (data as { status?: unknown } | null)?.status;
  return status === 'approved' || status === 'rejected' ? status : undefined;
}

/** The three events that make the way; of several the first, as it stands in the services too. */
export function mainEvents(entries: readonly LogEntry[]) {
  const first = entries.toSorted((a, b) => a.position - b.position);
  return {
    created: first.find(({ type }) => type === 'CommentCreated'),
    moderated: first.find((entry) => entry.type === 'CommentModerated' && verdictOf(entry)),
    updated: first.find((entry) => entry.type === 'CommentUpdated' && verdictOf(entry)),
  };
}

/**
 * The way of one comment, from its `POST` to the verdict on the page, as far as it is known: from the events about it, who
 * got them, and what this page noted. What is missing ends it as a step that is waited for, or, where later ones are known,
 * is a step that is not known.
 */
export function journeyOf(
  entries: readonly LogEntry[],
  reached: ReadonlyMap<number, Reached>,
  note: Note = {},
): Step[] {
  const { created, moderated, updated } = mainEvents(entries);
  const hasEnded = updated !== undefined || note.shownAt !== undefined;
  const steps: Step[] = [];
  const done = (name: Step['name'], who: string, at: number | undefined, more: Partial<Step> = {}) =>
    steps.push({ ...BARE, name, who, at, ...more });
  const missing = (name: Step['name'], who: string, isKnownLater: boolean) =>
    steps.push({ ...BARE, name, who, state: isKnownLater ? 'unknown' : 'waiting' });
  const logged = (entry: LogEntry, isShown = (_: string) => true) => {
    const at = timeOf(entry.recordedtime);
    const { arrivals, passed } = reached.get(entry.position) ?? NOBODY;
    const branches = arrivals
      .filter(({ subscription }) => isShown(subscription))
      .map((arrival) => {
        const delivered = timeOf(arrival.deliveredAt);
        return { ...branchOf(arrival.subscription, delivered, at), attempts: arrival.attempts };
      });
    branches.sort((a, b) => (a.at ?? 0) - (b.at ?? 0));
    done('logged', 'event-bus', at, { entry, branches, passed: passed.filter((name) => isShown(name)) });
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
    logged(updated, (name) => name !== 'query');
    const { arrivals, passed } = reached.get(updated.position) ?? NOBODY;
    const arrival = arrivals.find(({ subscription }) => subscription === 'query');
    const isThere = arrival !== undefined || passed.includes('query') || note.shownAt !== undefined;
    if (isThere) done('readable', 'query', timeOf(arrival?.deliveredAt), { attempts: arrival?.attempts ?? 1 });
    else missing('readable', 'query', false);
  } else if (moderated) missing('updated', 'comments', note.shownAt !== undefined);
  if (note.shownAt !== undefined) done('shown', 'client', note.shownAt);

  return withGaps(steps);
}

const BARE = {
  state: 'done',
  at: undefined,
  gap: undefined,
  early: false,
  entry: undefined,
  branches: [],
  passed: [],
  attempts: 1,
} satisfies Partial<Step>;

function timeOf(text: string | undefined): number | undefined {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? undefined : time;
}

function branchOf(who: string, at: number | undefined, since: number | undefined): Branch {
  const after = at === undefined || since === undefined ? undefined : Math.max(0, at - since);
  return { who, at, after, attempts: 1 };
}

/** Counted from the latest time so far, so that the gaps add up to the whole way. */
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
