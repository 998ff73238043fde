// Times relative to now.

import { useSyncExternalStore } from 'react';

const TICK_MS = 10_000;
const DAY_MS = 86_400_000;
const UNITS = [
  ['day', DAY_MS],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const;

// The page is in English; a date is in the reader's own form.
const relative = new Intl.RelativeTimeFormat('en');
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

function subscribe(listener: () => void) {
  const timer = setInterval(listener, TICK_MS);
  return () => clearInterval(timer);
}

/** A time of the last 30 days in words. Any other is exact, also one in the future: a clock is wrong. */
function textOf(at: number, now: number): string {
  const age = now - at;
  if (age < -60_000 || age > 30 * DAY_MS) return exact.format(at);
  const [unit, ms] = UNITS.find(([, ms]) => age >= ms) ?? [];
  return unit ? relative.format(-Math.floor(age / ms), unit) : 'just now';
}

/** Shows a time, with the exact one on hover; nothing if it is missing or invalid. */
export function TimeStamp({ value }: { value: string | null }) {
  const text = useSyncExternalStore(subscribe, () => textOf(Date.parse(value ?? ''), Date.now()));
  const at = new Date(value ?? Number.NaN);
  if (Number.isNaN(at.getTime())) return null;
  // A new element for a new text: a translator would leave the old text in place.
  return (
    <time key={text} dateTime={at.toISOString()} title={exact.format(at)}>
      {text}
    </time>
  );
}
