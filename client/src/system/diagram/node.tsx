import { type KeyboardEvent, useEffect, useId, useRef, useState } from 'react';
import { nameText } from '../format.tsx';
import type { Member } from './members.ts';

const MARKS = { good: '●', warn: '▲', bad: '✕', none: '○' };
/** The time for which a recovered part is marked as back: its outage may have been too short to be noticed. */
const BACK_MS = 3_000;

const leave = (event: KeyboardEvent<HTMLElement>) => event.key === 'Escape' && event.currentTarget.blur();

/** A node of the diagram. The reasons for its state are shown on hover and on focus. */
export function Node({ member: { name, copies, place, word, tone, reasons, details } }: { member: Member }) {
  const id = useId();
  const isBack = useBack(tone);
  return (
    <div
      className={place === 'pillar' ? 'node pillar' : 'node'}
      data-tone={tone}
      data-back={isBack}
      data-copies={copies > 1}
    >
      <button type="button" aria-describedby={id} onKeyDown={leave}>
        <b>{nameText(name, copies)}</b>{' '}
        <span>
          <i aria-hidden="true">{MARKS[tone]}</i> {isBack ? 'back' : word}
        </span>
      </button>
      <div role="tooltip" className="card" id={id}>
        <b aria-hidden="true">{nameText(name, copies)}</b>
        {[...reasons, ...details].map((line) => (
          <p key={line}>{line}</p>
        ))}
      </div>
    </div>
  );
}

function useBack(tone: Member['tone']): boolean {
  const [isBack, setBack] = useState(false);
  const before = useRef(tone);
  useEffect(() => {
    setBack(before.current === 'bad' && (tone === 'good' || tone === 'warn'));
    before.current = tone;
    const timer = setTimeout(() => setBack(false), BACK_MS);
    return () => clearTimeout(timer);
  }, [tone]);
  return isBack;
}
