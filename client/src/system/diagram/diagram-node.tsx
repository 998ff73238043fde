import { type KeyboardEvent, useEffect, useId, useRef, useState } from 'react';
import type { Box } from './layout.ts';
import type { Health } from './members.ts';

const MARKS = { good: '●', warn: '▲', bad: '✕', none: '○' };
/**
 * The time in milliseconds for which a recovered part is marked as back: the outage may have been too short to be
 * noticed.
 */
const BACK_MS = 3_000;

type Props = { name: string; box: Box; health: Health; details?: string[]; upright?: boolean; end?: boolean };

/** A node of the diagram. The reasons for its state are shown on hover and on focus. */
export function Node({ name, box, health, details = [], upright = false, end = false }: Props) {
  const id = useId();
  const isBack = useBack(health.tone);
  const word = isBack ? 'back' : health.word;
  const lines = [...health.reasons, ...details];
  const leave = (event: KeyboardEvent<HTMLElement>) => {
    if (event.key === 'Escape') event.currentTarget.blur();
  };
  const place = { left: box.x, top: box.y, width: box.width };
  return (
    <div className="node" data-tone={health.tone} data-back={isBack} style={place}>
      <button
        type="button"
        style={{ height: box.height }}
        data-upright={upright}
        aria-describedby={id}
        onKeyDown={leave}
      >
        <b>{name}</b>{' '}
        <span>
          <i aria-hidden="true">{MARKS[health.tone]}</i> {word}
        </span>
      </button>
      <div role="tooltip" id={id} data-end={end}>
        {lines.length === 0 ? <p>No details.</p> : lines.map((line) => <p key={line}>{line}</p>)}
      </div>
    </div>
  );
}

function useBack(tone: Health['tone']): boolean {
  const [isBack, setBack] = useState(false);
  const before = useRef(tone);
  useEffect(() => {
    const wasAway = before.current === 'bad';
    before.current = tone;
    if (!wasAway || tone === 'bad' || tone === 'none') return setBack(false);
    setBack(true);
    const timer = setTimeout(() => setBack(false), BACK_MS);
    return () => clearTimeout(timer);
  }, [tone]);
  return isBack;
}
