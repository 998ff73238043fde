import { memo } from 'react';
import { Link } from 'wouter';
import { addressWith, shortId, useSearchParams } from '../../shared/addresses.ts';
import type { LogEntry } from '../bus.ts';
import { ClockTime } from '../format.tsx';

/** A table of events, newest first. A position links to its event, a type or a subject to the filtered log. */
export const LogTable = memo(function LogTable({ rows }: { rows: readonly LogEntry[] }) {
  const search = useSearchParams();
  return (
    <table className="log-table">
      <caption className="visually-hidden">Events of the log, newest first</caption>
      <thead>
        <tr>
          <th scope="col">Position</th>
          <th scope="col">Type</th>
          <th scope="col">Subject</th>
          <th scope="col">Source</th>
          <th scope="col">Recorded</th>
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
    <tr data-type={type} aria-current={search.get('event') === String(position) || undefined}>
      <th scope="row">
        <Link href={addressWith(search, { event: String(position) })}>{position.toLocaleString()}</Link>
      </th>
      <td>
        <Link href={addressWith(search, { type })}>{type}</Link>
      </td>
      <td>
        {subject !== undefined && (
          <Link href={addressWith(search, { subject })} title={subject}>
            {shortId(subject)}
          </Link>
        )}
      </td>
      <td className="source">{source}</td>
      <td>
        <ClockTime value={recordedtime ?? time} />
      </td>
    </tr>
  );
});
