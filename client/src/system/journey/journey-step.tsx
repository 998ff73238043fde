import type { CSSProperties } from 'react';
import { Link } from 'wouter';
import { addressWith, useSearchParams } from '../addresses.ts';
import { ClockTime, durationText } from '../format.tsx';
import { PARTS } from '../requests.ts';
import { type Step, verdictOf } from './journey-of.ts';

/** `start`: the journey's beginning in milliseconds since 1970; `whole`: its duration in milliseconds. */
type Props = { step: Step; start: number; whole: number };

/** One step: the event, its part, the time since the step before, and its side effects. */
export function JourneyStep({ step, start, whole }: Props) {
  const search = useSearchParams();
  const { name, state, who, entry, at, gap = 0, early, branches, passed, attempts } = step;
  const position = name === 'logged' ? entry?.position : undefined;
  const share = (ms = 0) => `${(100 * (ms - start)) / whole}%`;
  const fromTo = { '--from': share(at && at - gap), '--to': share(at) } as CSSProperties;
  return (
    <li className="step" data-state={state}>
      <p className="step-head">
        <span className="step-what">
          <b>{textOf(step)}</b>
          {position && <Link href={addressWith(search, { event: String(position) })}>{position.toLocaleString()}</Link>}
          <Attempts count={attempts} />
          {/* A foreign source is not known to have an outbox. */}
          {position && PARTS.some((part) => part === entry?.source) && (
            <small> from the outbox of {entry?.source}</small>
          )}
        </span>
        <small>{who}</small>
        <span className="gap">{gapText(step)}</span>
        <ClockTime value={at} />
      </p>
      {/* The time since the step before, on an axis as long as the whole journey. */}
      {at !== undefined && !early && whole > 0 && <span className="bar" style={fromTo} />}
      <ul className="quiet wrap">
        {branches.map(({ who, after, attempts }) => (
          <li key={who}>
            {who === 'client' ? 'this page got the answer' : `${who} has it`}
            {after !== undefined && <span className="gap">{` + ${durationText(after)}`}</span>}
            <Attempts count={attempts} />
          </li>
        ))}
        {passed.map((subscription) => (
          <li key={subscription}>{subscription} is past it</li>
        ))}
      </ul>
    </li>
  );
}

function textOf({ name, state, who, entry }: Step): string {
  const isDone = state === 'done';
  const verdict = entry && isDone ? `: ${verdictOf(entry)}` : '';
  switch (name) {
    case 'sent':
      return 'Sent from this page';
    case 'written':
      if (!isDone) return 'Stored';
      return who === 'classic' ? 'Made by a service that does not name itself' : 'Stored, with its event in the outbox';
    case 'logged':
      return isDone ? `${entry?.type} in the log at ` : 'CommentCreated in the log';
    case 'judged':
      return `Judged${verdict}`;
    case 'updated':
      return `The verdict stands${verdict}`;
    case 'readable':
      return 'In the read model';
    case 'shown':
      return 'Shown on this page';
  }
}

function gapText({ state, gap, early, at }: Step): string {
  if (state === 'waiting') return 'not yet';
  if (state === 'unknown') return 'not known';
  if (at === undefined) return 'time unknown';
  if (gap === undefined) return '';
  return early ? 'about 0' : `+ ${durationText(gap)}`;
}

const Attempts = ({ count }: { count: number }) =>
  count > 1 && <strong className="waits">{` at attempt ${count}`}</strong>;
