const format = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** A time as the reader's language writes it; nothing if it is missing or no time at all. */
export function TimeStamp({ value }: { value: string | null }) {
  const date = new Date(value ?? Number.NaN);
  if (Number.isNaN(date.getTime())) return null;
  return <time dateTime={date.toISOString()}>{format.format(date)}</time>;
}
