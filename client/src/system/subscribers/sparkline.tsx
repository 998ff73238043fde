import type { Sample } from './samples.ts';

const WIDTH = 120;
const HEIGHT = 32;
const SHORTEST_MS = 60_000;
const LONGEST_MS = 300_000;
/** The minimum scale of the axis, so that a lag of one event looks small. */
const SMALL = 4;

/** A subscription's lag over the last minutes, as a line and in words. */
export function Sparkline({ samples = [] }: { samples: readonly Sample[] | undefined }) {
  const first = samples[0];
  const last = samples.at(-1);
  if (!first || !last) return null;
  const span = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, last.at - first.at));
  const most = Math.max(...samples.map(({ lag }) => lag));
  const x = (at: number) => (WIDTH * (1 - (last.at - at) / span)).toFixed(1);
  const y = (lag: number) => (HEIGHT - 1 - ((HEIGHT - 3) * lag) / Math.max(SMALL, most)).toFixed(1);
  // A step line: the value held until the next sample.
  const line = samples.map(({ at, lag }, i) => (i === 0 ? `M${x(at)} ${y(lag)}` : `H${x(at)}V${y(lag)}`)).join('');
  const minutes = Math.ceil((last.at - first.at) / 60_000);
  return (
    <figure className="lag-plot">
      <svg aria-hidden="true" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none">
        <path className="lag-area" d={`${line}V${HEIGHT}H${x(first.at)}Z`} />
        <path className="lag-line" d={line} />
      </svg>
      <figcaption>
        {minutes <= 1 ? 'Last minute' : `Last ${minutes} minutes`}:{' '}
        {most === 0 ? 'no lag' : `lag up to ${most.toLocaleString()}`}
      </figcaption>
    </figure>
  );
}
