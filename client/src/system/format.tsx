// Times, durations and numbers, as they are written.

const clock = new Intl.DateTimeFormat(undefined, {
  ...{ hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hourCycle: 'h23' },
});
const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

/** Shows a time to the millisecond, with the date unless that is today; nothing if it is missing or invalid. */
export function ClockTime({ value }: { value: string | number | undefined }) {
  const date = new Date(value ?? Number.NaN);
  if (Number.isNaN(date.getTime())) return null;
  const isToday = date.toDateString() === new Date().toDateString();
  return (
    <time dateTime={date.toISOString()}>
      {isToday ? clock.format(date) : `${day.format(date)}, ${clock.format(date)}`}
    </time>
  );
}

/** A duration in words, to about three digits. */
export function durationText(ms: number): string {
  if (ms < 1) return 'under 1 ms';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toPrecision(3)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.floor((ms % 60_000) / 1_000)} s`;
  return `${Math.floor(minutes / 60).toLocaleString()} h ${minutes % 60} min`;
}

/** An age in whole seconds, minutes or hours. */
export const ageText = (seconds: number): string =>
  seconds < 120
    ? `${seconds} s`
    : seconds < 7_200
      ? `${Math.floor(seconds / 60)} min`
      : `${Math.floor(seconds / 3_600).toLocaleString()} h`;

/** A number in compact notation: 8.62K. */
export const short = (count: number): string => compact.format(count);

/** A rate in compact notation; a dash if it is not known. Less than one event in ten seconds rounds to 0. */
export const perSecond = (rate: number): string =>
  Number.isNaN(rate) ? '–' : `${rate < 10 ? Number(rate.toFixed(1)) : short(Math.round(rate))}/s`;

export const eventsText = (count: number): string => (count === 1 ? '1 event' : `${count.toLocaleString()} events`);

/** A service's name, with the number of its copies if there are several. */
export const nameText = (name: string, copies: number): string => (copies > 1 ? `${name} ×${copies}` : name);

/** The sentence of a text that may lack its full stop. */
export const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);
