// The report of `--report FILE.html`: the checks, and the first failing one as a sequence diagram. One file, no script.

import { STEPS } from '../steps.ts';
import { type Diagram, drawDiagram, type Row, rowsOf } from './diagram.ts';
import { escapeText } from './escape.ts';
import type { Result } from './grade.ts';
import { inOrder } from './order.ts';

type Report = {
  /** The command line that was graded, as typed. */
  command: string;
  /** A sentence: the step that it has reached. */
  verdict: string;
  checks: { step: number; title: string; outcome: 'passed' | 'failed' | 'left out' }[];
  /** The first check that failed, with the shortest run that shows it. */
  failure?: { title: string; step: number; sent: string; expected: string; seen: string; lesson: string } & Diagram;
};

/** The report of a grade. `args` is its command line, `summary` are the last lines that were printed. */
export function reportOf(args: string[], results: Result[], summary: string[]): Report {
  const checks = results.map(({ check, outcome }) => ({
    step: check.step,
    title: `${check.part}: ${check.title}`,
    outcome,
  }));
  const first = results.find(({ failure }) => failure);
  const report = { command: commandOf(args), verdict: summary.filter(Boolean).slice(0, 2).join(' '), checks };
  if (!first?.failure) return report;
  const { check, failure } = first;
  const { sent, expected, seen, about } = failure.failed;
  const folder = STEPS.find(({ number }) => number === check.step)?.folder;
  const entries = inOrder(failure.recorder.entries, check.part);
  const { title } = checks[results.indexOf(first)] as Report['checks'][number];
  return {
    ...report,
    failure: {
      title,
      step: check.step,
      sent,
      expected,
      seen,
      lesson: `${folder}/README.md`,
      graded: check.part,
      entries,
      marks: about,
      mark: seen,
    },
  };
}

/** The arguments as typed, without those that do not change the grade. */
function commandOf(args: string[]): string {
  const shown = args.filter((arg, i) => !/^--(report|verbose)\b/.test(arg) && args[i - 1] !== '--report');
  return shown.map((arg) => (/^[\w./:=-]+$/.test(arg) ? arg : `'${arg}'`)).join(' ');
}

/** The signs of the outcomes; each also has its word, for a reader who does not see colours. */
const SIGNS = { passed: '✓', failed: '✗', 'left out': '–' };

/** The whole HTML file. It names no time and no port, so two runs of the same command give the same bytes. */
export function renderReport(report: Report): string {
  const { command, verdict, failure } = report;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeText(`Graded: ${command}`)}</title>
<style>${STYLE}</style>
<main>
<h1>Graded: <code>${escapeText(command, 500)}</code></h1>
<p class="verdict ${failure ? 'bad' : 'good'}">${escapeText(verdict, 500)}</p>
${failure ? renderFailure(failure) : '<p>Every check has passed. There is no failing run to draw.</p>'}
<h2>The checks</h2>
${renderChecks(report.checks)}
</main>
</html>
`;
}

function renderChecks(checks: Report['checks']): string {
  const rows = checks.map(
    ({ step, title, outcome }) =>
      `<tr class="${outcome.replace(' ', '-')}"><td class="step">${step}</td><td>${escapeText(title, 300)}</td>` +
      `<td class="outcome"><span aria-hidden="true">${SIGNS[outcome]}</span> ${outcome}</td></tr>`,
  );
  return `<table>
<thead><tr><th class="step">step</th><th>check</th><th>outcome</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>`;
}

function renderFailure(failure: NonNullable<Report['failure']>): string {
  const { title, step, sent, expected, seen, lesson } = failure;
  const rows = rowsOf(failure);
  return `<section>
<h2>The first check that failed</h2>
<p><strong>Step ${step}: ${escapeText(title, 300)}</strong></p>
<dl>
<dt>sent</dt><dd>${escapeText(sent, 2_000)}</dd>
<dt>expected</dt><dd>${escapeText(expected, 2_000)}</dd>
<dt>seen</dt><dd class="bad">${escapeText(seen, 2_000)}</dd>
<dt>read</dt><dd>${escapeText(lesson, 300)}</dd>
</dl>
<h2>The shortest run that shows it</h2>
<p class="legend">Time runs downwards. A full arrow is a request, a dashed one its answer.
A cross ends what never arrived. An attempt that is repeated and ends in the same way is drawn once.</p>
<div class="wide">${drawDiagram(rows, failure.graded, 'wide')}</div>
<div class="narrow">${drawDiagram(rows, failure.graded, 'narrow')}</div>
<details>
<summary>The same run as a list</summary>
<ol>
${rows.map((row) => `<li${row.isBad || row.mark ? ' class="bad"' : ''}>${escapeText(sentence(row), 500)}</li>`).join('\n')}
</ol>
</details>
</section>`;
}

function sentence({ from, to, text, mark }: Row): string {
  const path = to === undefined ? from : `${from} → ${to}`;
  return `${path}: ${text}${mark ? ` — ${mark}` : ''}`;
}

const STYLE = `
:root { color-scheme: light dark; --page: #fff; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --good: #1a7f37; --bad: #c21f2c;
  --bad-soft: #ffebe9; --request: #0b5cad; --alive: #b6c2cf; }
@media (prefers-color-scheme: dark) {
  :root { --page: #11151a; --ink: #e6edf3; --soft: #9aa4af; --line: #343c46; --good: #57c46c; --bad: #ff8079;
    --bad-soft: #43191b; --request: #79b8ff; --alive: #55606c; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 16px; }
h1 { font-size: 1.35rem; margin: .5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
code, dd { font-family: ui-monospace, monospace; }
.verdict { font-weight: 600; border-left: 4px solid; padding-left: .75rem; }
.good, .passed .outcome { color: var(--good); }
.bad, .failed .outcome { color: var(--bad); }
.left-out, .legend { color: var(--soft); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; font-size: .9rem; white-space: pre-wrap; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: .85rem; }
th, td { padding: .3rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top; }
.step { text-align: right; width: 3rem; }
.outcome { white-space: nowrap; }
tr.failed { background: var(--bad-soft); }
li { overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; font-family: ui-monospace, monospace; }
.narrow { display: none; max-width: 560px; }
@media (max-width: 860px) { .wide { display: none; } .narrow { display: block; } }
svg text { fill: var(--ink); }
svg .lane { font-weight: 700; }
svg .lane.narrow-lane { font-size: 10px; }
svg .plate { fill: var(--page); }
svg .life { stroke: var(--line); stroke-width: 1.5; }
svg .running { stroke: var(--alive); stroke-width: 6; }
svg .paused { stroke: var(--alive); stroke-width: 6; stroke-dasharray: 3 4; }
svg .down { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 2 5; }
svg .arrow { stroke: var(--request); fill: none; stroke-width: 1.75; }
svg .answer { stroke: var(--soft); stroke-dasharray: 6 4; }
svg .head { fill: var(--request); }
svg .head.answer { fill: var(--soft); stroke: none; }
svg .arrow.bad { stroke: var(--bad); }
svg .head.bad { fill: var(--bad); }
svg .cross { stroke: var(--bad); stroke-width: 2.5; }
svg .sign { fill: var(--page); stroke: var(--ink); stroke-width: 2; }
svg text.bad { fill: var(--bad); }
svg text.soft { fill: var(--soft); }
svg .band { fill: var(--bad-soft); }
svg .edge { fill: var(--bad); }
svg text.mark { fill: var(--bad); font-weight: 700; }
`;
