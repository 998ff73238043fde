import { type ComponentProps, type MouseEvent, memo } from 'react';
import { navigate } from 'wouter/use-browser-location';
import { addressWith, useSearchParams } from '../addresses.ts';
import type { LogEntry } from '../bus.ts';
import { ClockTime } from '../format.tsx';

/** The columns, and their fixed widths, whatever the content. */
const COLUMNS = { Position: '14%', Type: '26%', Subject: '24%', Source: '16%', Recorded: '20%' };

/** A table of events, newest first. A position links to its event, a type or a subject to the filtered log. */
export const LogTable = memo(function LogTable({ rows }: { rows: readonly LogEntry[] }) {
  const search = useSearchParams();
  return (
    <table className="log-table">
      <caption className="visually-hidden">Events of the log, newest first</caption>
      <thead>
        <tr>
          {Object.entries(COLUMNS).map(([name, width]) => (
            <th key={name} scope="col" style={{ width }}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((entry) => (
          <Row key={entry.position} entry={entry} search={search} />
        ))}
      </tbody>
    </table>
  );
});

const Row = memo(function Row({ entry, search }: { entry: LogEntry; search: URLSearchParams }) {
  const { position, type, subject, source, time, recordedtime } = entry;
  return (
    <tr aria-current={search.get('event') === String(position) || undefined}>
      <th scope="row">
        <RowLink href={addressWith(search, { event: String(position) })}>{position.toLocaleString()}</RowLink>
      </th>
      <td>
        <RowLink href={addressWith(search, { type })}>{type}</RowLink>
      </td>
      <td>
        {subject !== undefined && (
          <RowLink href={addressWith(search, { subject })} title={subject}>
            {shortId(subject)}
          </RowLink>
        )}
      </td>
      <td>{source}</td>
      <td>
        <ClockTime value={recordedtime ?? time} />
      </td>
    </tr>
  );
});

/** A link without wouter's subscription to the address: under load some 450 of them come and go each second. */
function RowLink({ href, ...rest }: ComponentProps<'a'> & { href: string }) {
  function follow(event: MouseEvent) {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(href);
  }
  return <a href={href} onClick={follow} {...rest} />;
}

/** Shortens a long id without spaces to its end, the part by which UUIDv7 ids differ. */
const shortId = (id: string): string => (id.length > 14 && !id.includes(' ') ? `…${id.slice(-8)}` : id);
