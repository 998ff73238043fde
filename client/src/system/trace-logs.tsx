// The link from a trace to its log lines, where the gateway names a store.
import { useSystem } from './system-context.ts';

/** The trace's id in a `traceparent` (W3C Trace Context §3.2). */
export const traceOf = (traceparent = ''): string | undefined => /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent)?.[1];

/** A link to VictoriaLogs' page with the query for this trace; nothing without a store. */
export function TraceLogs({ trace }: { trace: string | undefined }) {
  const logs = useSystem((state) => state.logs);
  if (!trace || !logs || !/^https?:\/\//.test(logs)) return null;
  const query = encodeURIComponent(`traceId:=${trace}`);
  const address = `${logs.replace(/\/$/, '')}/select/vmui/#/?query=${query}&g0.range_input=24h&g0.relative_time=last_24_hours`;
  return (
    <a href={address} target="_blank" rel="noreferrer">
      Its log lines
    </a>
  );
}
