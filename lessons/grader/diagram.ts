// The sequence diagram of a run, as SVG: a lane for each process, time downwards, an arrow for each request and each answer.
import { escapeText, printableLine } from './escape.ts';
import type { Entry } from './recorder.ts';

/** The parts of a recorded run that are drawn; `marks` are the keys of the events to mark, `mark` says what is wrong with them. */
export type Diagram = { graded: string; entries: Entry[]; marks: string[]; mark: string };

/** One row of the diagram. */
export type Row = Pick<Entry, 'kind' | 'from' | 'to' | 'text'> & {
  isBad: boolean;
  /** Carries an event that is marked. */
  isMarked: boolean;
  /** The fault: told at the first of the rows that are marked. */
  mark?: string;
};

/** The rows of a run. */
export function rowsOf({ entries, marks, mark }: Diagram): Row[] {
  const rows = entries.map(({ kind, from, to, text, events = [] }): Row => {
    const isBad = kind === 'kill' || kind === 'no answer' || (kind === 'answer' && /^[45]/.test(text));
    return { kind, from, to, text, isBad, isMarked: events.some((key) => marks.includes(key)) };
  });
  const first = rows.find(({ isMarked }) => isMarked);
  if (first) first.mark = mark;
  return cut(rows);
}

/** The processes from left to right: who calls the graded program, the program, and those that it calls. */
function lanesOf(rows: Row[], graded: string): string[] {
  const requests = rows.filter(({ kind }) => kind === 'request');
  const called = new Set(requests.filter(({ from }) => from === graded).map(({ to }) => to));
  const callers = requests.map(({ from }) => from).filter((from) => from !== graded && !called.has(from));
  const all = rows.flatMap(({ from, to }) => (to === undefined ? [from] : [from, to]));
  // A bus before a service is both, and stands on the right.
  const others = all.filter((lane) => lane !== graded && (lane === 'bus' || !callers.includes(lane))).sort();
  return [...new Set([...callers.filter((lane) => lane !== 'bus'), graded, ...others])];
}

/** The most rows that are drawn. Of a longer run its begin and its end are, and what is about the marked events. */
const ROWS = 150;

function cut(rows: Row[]): Row[] {
  if (rows.length <= ROWS) return rows;
  const budget = ROWS / 3;
  const isMiddle = (i: number) => i >= budget && i < rows.length - budget;
  let marked = 0;
  const kept: Row[] = [];
  let left = 0;
  for (const [i, row] of rows.entries()) {
    if (isMiddle(i) && !(row.isMarked && marked < budget)) left += 1;
    else {
      if (isMiddle(i)) marked += 1;
      if (left > 0) kept.push({ kind: 'note', from: row.from, text: `… ${left} more`, isBad: false, isMarked: false });
      left = 0;
      kept.push(row);
    }
  }
  return kept;
}

type Shape = { width: number; edge: number; font: number; line: number; letter: number };
const SHAPES = {
  wide: { width: 1000, edge: 90, font: 13, line: 17, letter: 8.1 },
  narrow: { width: 380, edge: 44, font: 11, line: 14, letter: 6.9 },
} satisfies Record<string, Shape>;

/** Draws a run in one of two widths; the page shows the one that fits. */
export function drawDiagram(rows: Row[], graded: string, name: keyof typeof SHAPES): string {
  const lanes = lanesOf(rows, graded);
  const shape: Shape = SHAPES[name];
  const { width, edge, font, line, letter } = shape;
  const gap = lanes.length > 1 ? (width - 2 * edge) / (lanes.length - 1) : 0;
  const x = (lane: string) => (lanes.length > 1 ? edge + Math.max(0, lanes.indexOf(lane)) * gap : width / 2);

  const heads = lanes.map((lane) =>
    wrap(lane, Math.max(6, Math.floor((lanes.length > 1 ? gap : width) / (letter - 0.7)))),
  );
  const top = Math.max(...heads.map((words) => words.length)) * line + 14;
  const drawn: string[] = [];
  const bands: string[] = [];
  const marks: { y: number; row: Row }[] = [];
  let y = top + 6;
  for (const row of rows) {
    const { height, svg, at, band } = drawRow(row, y, x, shape, name === 'wide');
    drawn.push(svg);
    bands.push(band);
    marks.push({ y: at, row });
    y += height;
  }
  const bottom = y + 10;
  const lifelines = lanes.map((lane) => drawLife(lane, x(lane), top, bottom, marks));
  const titles = heads.map((words, i) => drawText(words, x(lanes[i] ?? ''), line, line, 'middle', `lane ${name}-lane`));
  return `<svg viewBox="0 0 ${width} ${bottom}" font-size="${font}" role="img" aria-label="${escapeText(
    `Sequence diagram of ${lanes.join(', ')}. The list below has the same.`,
  )}">
${bands.join('')}
${lifelines.join('\n')}
${titles.join('\n')}
${drawn.join('\n')}
</svg>`;
}

const STYLES: Partial<Record<Row['kind'], string>> = {
  start: 'running',
  resume: 'running',
  pause: 'paused',
  kill: 'down',
  end: 'down',
};

/** The line of a process: thick while it runs, dotted while it is paused or gone. */
function drawLife(lane: string, x: number, top: number, bottom: number, marks: { y: number; row: Row }[]): string {
  const lives = marks.flatMap(({ y, row }) => {
    const style = row.from === lane && STYLES[row.kind];
    return style ? { y, style, kind: row.kind } : [];
  });
  const piece = (style: string, from: number, to: number) =>
    `<line class="${style}" x1="${round(x)}" y1="${round(from)}" x2="${round(x)}" y2="${round(to)}"/>`;
  if (lives.length === 0) return piece('life', top, bottom);
  const pieces: string[] = [];
  // A process whose first sign of life is not its start has been running before.
  let style = lives[0]?.kind === 'start' ? 'life' : 'running';
  let from = top;
  for (const life of lives) {
    pieces.push(piece(style, from, life.y));
    style = life.style;
    from = life.y;
  }
  return [...pieces, piece(style, from, bottom)].join('');
}

function drawRow(row: Row, y: number, x: (lane: string) => number, shape: Shape, isWide: boolean) {
  const { width, line, letter } = shape;
  const from = x(row.from);
  const to = row.to === undefined ? from : x(row.to);
  const isArrow = row.to !== undefined;
  const most = Math.floor(roomFor(isArrow ? Math.abs(to - from) : 0, isArrow ? 0 : from, shape, isWide) / letter);
  const lines = wrap(row.text, most);
  const marked = row.mark ? wrap(row.mark, Math.floor((width - 60) / letter)) : [];
  const longest = Math.max(...lines.map((words) => words.length)) * letter;
  const middle = Math.min(Math.max((from + to) / 2, longest / 2 + 8), width - longest / 2 - 8);
  const fits = isWide || longest < Math.abs(to - from) - 12;
  // Text that does not fit between the two lanes begins at the left one.
  const left = fits ? middle - longest / 2 : Math.min(Math.max(8, Math.min(from, to) - 30), width - longest - 8);

  const before = 8 + marked.length * line;
  const textTop = y + before;
  const at = textTop + lines.length * line + (isArrow ? 7 : 2);
  const height = at - y + (isArrow ? 9 : 12);
  const sign = isArrow ? '' : drawSign(row, from, at);
  // An event of one process is told beside its sign.
  const beside = isArrow ? left : from + 14 + longest < width ? from + 14 : from - 14 - longest;
  const start = isArrow ? left : Math.max(4, beside);
  const shift = isArrow ? 0 : line / 2 + 1;
  const plate = `<rect class="plate" x="${round(start - 3)}" y="${round(textTop + shift)}" width="${round(longest + 6)}" height="${lines.length * line}"/>`;
  const style = row.isBad ? 'bad' : row.kind === 'answer' ? 'soft' : '';
  const svg = [
    row.isMarked ? '' : plate,
    row.mark ? drawText(marked, 12, y + line + 1, line, 'start', 'mark') : '',
    drawText(lines, start, textTop + line - 4 + shift, line, 'start', style),
    isArrow ? drawArrow(row, from, to, at) : sign,
  ];
  return { height, at, svg: svg.join(''), band: row.isMarked ? drawBand(y + 2, height, shape) : '' };
}

/** The width that the text of a row may take: above its arrow, or beside its sign. */
function roomFor(distance: number, sign: number, { width }: Shape, isWide: boolean): number {
  if (sign > 0) return Math.max(sign, width - sign) - 20;
  return isWide ? Math.min(width - 20, Math.max(distance - 24, 330)) : width - 28;
}

/** Behind the write that went missing, or that came twice. */
const drawBand = (y: number, height: number, { width }: Shape) =>
  `<rect class="band" x="0" y="${round(y)}" width="${width}" height="${round(height)}"/>` +
  `<rect class="edge" x="0" y="${round(y)}" width="4" height="${round(height)}"/>`;

function drawArrow({ kind, isBad }: Row, from: number, to: number, y: number): string {
  const right = to >= from ? 1 : -1;
  const isLost = kind === 'no answer';
  const style = `${kind === 'request' ? '' : 'answer '}${isBad ? 'bad' : ''}`.trim();
  const [start, tip] = [from + 5 * right, to - 6 * right];
  // One that never came stops half-way.
  const end = isLost ? (start + tip) / 2 : tip - 7 * right;
  const line = `<line class="arrow ${style}" x1="${round(start)}" y1="${round(y)}" x2="${round(end)}" y2="${round(y)}"/>`;
  if (isLost) return line + drawCross(end, y, 5);
  const [back, up, down] = [round(tip - 9 * right), round(y - 5), round(y + 5)];
  return `${line}<path class="head ${style}" d="M${round(tip)} ${round(y)}L${back} ${up}L${back} ${down}Z"/>`;
}

function drawSign({ kind }: Row, x: number, y: number): string {
  if (kind === 'kill') return drawCross(x, y, 7);
  if (kind === 'note') return `<rect class="sign" x="${round(x - 4)}" y="${round(y - 4)}" width="8" height="8"/>`;
  if (kind === 'pause')
    return `<path class="sign" d="M${round(x - 4)} ${round(y - 6)}v12M${round(x + 4)} ${round(y - 6)}v12"/>`;
  return `<circle class="sign" cx="${round(x)}" cy="${round(y)}" r="5"/>`;
}

const drawCross = (x: number, y: number, size: number) =>
  `<path class="cross" d="M${round(x - size)} ${round(y - size)}l${2 * size} ${2 * size}m0 ${-2 * size}l${-2 * size} ${2 * size}"/>`;

function drawText(lines: string[], x: number, y: number, line: number, anchor: string, style: string): string {
  const spans = lines.map((text, i) => `<tspan x="${round(x)}" y="${round(y + i * line)}">${escapeText(text)}</tspan>`);
  return `<text class="${style}" text-anchor="${anchor}">${spans.join('')}</text>`;
}

/** Lines of at most so many characters; a word that is longer is cut. */
function wrap(text: string, most: number): string[] {
  const lines: string[] = [''];
  for (const word of printableLine(text, 300).split(' ')) {
    for (let rest = word; rest !== ''; rest = rest.slice(most)) {
      const last = lines.at(-1) ?? '';
      const piece = rest.slice(0, most);
      if (last === '') lines[lines.length - 1] = piece;
      else if (last.length + 1 + piece.length <= most && rest === word) lines[lines.length - 1] = `${last} ${piece}`;
      else lines.push(piece);
    }
  }
  return lines;
}

const round = (value: number) => Math.round(value * 10) / 10;
