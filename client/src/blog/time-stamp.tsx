const format = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** Shows a time in the reader's locale; nothing if it is missing or invalid. */
export function TimeStamp({ value }: { value: string | null }) {
  const date = new Date(value ?? Number.NaN);
  if (Number.isNaN(date.getTime())) return null;
  return <time dateTime={date.toISOString()}>{format.format(date)}</time>;
}
