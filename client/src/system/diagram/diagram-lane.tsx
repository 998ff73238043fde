import type { Line } from './layout.ts';

type Props = {
  line: Line;
  kind: 'request' | 'publish' | 'deliver';
  /** Drawn as a line pattern, and named on the line unless it is healthy. */
  state?: string;
  /** Labels above and below the line. */
  above?: string;
  below?: { text: string; strong?: boolean }[];
};

const LINE_HEIGHT = 15;

/** An arrow of the diagram with its labels. Events that travel along it are drawn by dots.ts. */
export function Lane({ line: { from, to }, kind, state = 'live', above, below = [] }: Props) {
  const middle = (from.x + to.x) / 2;
  const word = state === 'live' || state === 'away' ? undefined : state;
  const width = word ? word.length * 6.6 + 14 : 0;
  return (
    <g className="lane" data-kind={kind} data-state={state}>
      <line x1={from.x} y1={from.y} x2={to.x} y2={to.y} markerEnd="url(#arrow)" />
      {word && (
        <>
          <rect x={middle - width / 2} y={from.y - 9} width={width} height={18} rx={9} />
          <text x={middle} y={from.y + 4} className="lane-state">
            {word}
          </text>
        </>
      )}
      {above && (
        <text x={middle} y={from.y - 15}>
          {above}
        </text>
      )}
      {below.map(({ text, strong }, row) => (
        <text key={text} x={middle} y={from.y + 22 + row * LINE_HEIGHT} data-strong={strong}>
          {text}
        </text>
      ))}
    </g>
  );
}
