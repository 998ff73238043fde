import type { CSSProperties } from 'react';
import { Link } from 'wouter';
import { addressWith, useSearchParams } from '../../shared/addresses.ts';
import { ClockTime, durationText } from '../format.tsx';
import { PARTS } from '../requests.ts';
import { type Step, verdictOf } from './journey-of.ts';

/** `start`: the journey's beginning in milliseconds since 1970; `whole`: its duration in milliseconds. */
type Props = { step: Step; start: number; whole: number };

/** One step: the event, its part, the time since the step before, and its side effects. */
export function JourneyStep({ step, start, whole }: Props) {
  const search = useSearchParams();
  const { name, state, who, entry, at, branches, passed, attempts } = step;
  const position = name === 'logged' ? entry?.position : undefined;
  return (
    <li className="step" data-state={state} data-who={who}>
      <p className="step-head">
        <span className="step-what">
          <span>{textOf(step)}</span>
          {position !== undefined && (
            <Link href={addressWith(search, { event: String(position) })}>{position.toLocaleString()}</Link>
          )}
          <Attempts count={attempts} />
          {position !== undefined && isPart(entry?.source) && (
            <span className="aside"> from the outbox of {entry?.source}</span>
          )}
        </span>
        <span className="part">{who}</span>
        <span className="gap">{gapText(step)}</span>
        <ClockTime value={at} />
      </p>
      <Bar step={step} start={start} whole={whole} />
      {(branches.length > 0 || passed.length > 0) && (
        <ul className="branches">
          {branches.map(({ who, after, attempts }) => (
            <li key={who}>
              {who === 'client' ? 'this page got its 201' : `${who} has it`}
              {after !== undefined && <span className="gap">{` + ${durationText(after)}`}</span>}
              <Attempts count={attempts} />
            </li>
          ))}
          {passed.map((subscription) => (
            <li key={subscription}>{subscription} is past it</li>
          ))}
        </ul>
      )}
    </li>
  );
}

/** Foreign sources are not known to have an outbox. */
const isPart = (source: string | undefined) => PARTS.some((part) => part === source);

function textOf({ name, state, who, entry }: Step): string {
  if (state !== 'done') return NOT_DONE[name];
  const verdict = entry ? verdictOf(entry) : undefined;
  switch (name) {
    case 'sent':
      return 'Sent from this page';
    case 'written':
      return who === 'classic' ? 'Made by a service that does not name itself' : 'Stored, with its event in the outbox';
    case 'logged':
      return `${entry?.type} in the log at `;
    case 'judged':
      return `Judged: ${verdict}`;
    case 'updated':
      return `The verdict stands: ${verdict}`;
    case 'readable':
      return 'In the read model';
    case 'shown':
      return 'Shown on this page';
  }
}

/** The names of steps that are awaited or unknown. */
const NOT_DONE: Record<Step['name'], string> = {
  sent: 'Sent',
  written: 'Stored',
  logged: 'CommentCreated in the log',
  judged: 'Judged',
  updated: 'The verdict stands',
  readable: 'In the read model',
  shown: 'Shown on this page',
};

function gapText({ state, gap, early, at }: Step): string {
  if (state === 'waiting') return 'not yet';
  if (state === 'unknown') return 'not known';
  if (at === undefined) return 'time unknown';
  if (gap === undefined) return '';
  return early ? 'about 0' : `+ ${durationText(gap)}`;
}

function Attempts({ count }: { count: number }) {
  return count > 1 && <span className="attempts">{` at attempt ${count}`}</span>;
}

/** The time from the step before to this one, on an axis as long as the whole journey. */
function Bar({ step: { at, gap = 0, early }, start, whole }: Props) {
  if (at === undefined || early || whole === 0) return null;
  const style: CSSProperties = {
    insetInlineStart: `${(100 * (at - start - gap)) / whole}%`,
    width: `${(100 * gap) / whole}%`,
  };
  return (
    <span className="bar" aria-hidden="true">
      <span style={style} />
    </span>
  );
}
