// Draws the goals as bars in one SVG for dark and light pages: each figure relative to its goal.
import { boundOf, type Judged, type Result, short } from './results.ts';

const ROW = 26;
const LABEL = 460;
const BAR = 300;
const WIDTH = LABEL + BAR + 190;
const TOP = 48;
/** The scale is logarithmic, from a hundredth of the goal to a hundred times the goal. */
const DECADES = 2;

const escaped = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
const x = (times: number) =>
  Math.round(LABEL + (BAR * (Math.min(Math.max(Math.log10(times), -DECADES), DECADES) + DECADES)) / (2 * DECADES));

function timesGoal({ value, atLeast, atMost }: Judged): number | undefined {
  if (value === undefined || (atLeast ?? atMost) === undefined) return undefined;
  if (value === atMost) return 1; // covers a goal of 0
  return atLeast === undefined ? (atMost as number) / value : value / atLeast;
}

export function plotOf(results: Result[], about: string): string {
  const goals = results.flatMap(({ name, goals }) => goals.map((goal) => ({ name, goal, times: timesGoal(goal) })));
  const shown = goals.filter(({ times }) => times !== undefined) as { name: string; goal: Judged; times: number }[];
  const height = TOP + shown.length * ROW + 30;
  const rows = shown.map(({ name, goal, times }, i) => {
    const y = TOP + i * ROW;
    const [from, to] = [x(1), x(times)].sort((a, b) => a - b) as [number, number];
    return `<text x="${LABEL - 10}" y="${y + 15}" text-anchor="end">${escaped(`${name}: ${goal.text} ${boundOf(goal)}`)}</text>
<rect class="${goal.met ? 'met' : 'missed'}" x="${from}" y="${y + 3}" width="${Math.max(to - from, 2)}" height="${ROW - 8}"/>
<text x="${LABEL + BAR + 10}" y="${y + 15}">${short(goal.value as number)}${goal.met ? '' : ' (missed)'}</text>`;
  });
  const marks = [0.01, 0.1, 1, 10, 100].map(
    (
      times,
    ) => `<line x1="${x(times)}" y1="${TOP - 6}" x2="${x(times)}" y2="${height - 24}"${times === 1 ? ' class="goal"' : ''}/>
<text x="${x(times)}" y="${TOP - 12}" text-anchor="middle">${times === 1 ? 'goal' : `${times} ×`}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>How many times as good as its goal each figure is</title>
<style>text{font:13px system-ui,sans-serif;fill:#1f2328}line{stroke:#8b949e;stroke-opacity:.4}.goal{stroke-opacity:1}.met{fill:#2da44e}.missed{fill:#d4762c}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}}</style>
${marks.join('\n')}
${rows.join('\n')}
<text x="10" y="${height - 8}">${escaped(about)}</text>
</svg>
`;
}
