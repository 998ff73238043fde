// `npm run grade`: grades a bus or services of one's own. Exit code 0: every check passed, 1: one failed, 2: wrong usage, or a
// program that cannot be graded, 130: interrupted.
import { writeFileSync } from 'node:fs';
import { optionsOrUsage } from '../../scripts/lib/usage.ts';
import { createScreen } from '../runner/screen.ts';
import { busChecks } from './bus/checks.ts';
import { type Check, NotGradable, type Part } from './check.ts';
import { grade, type Result } from './grade.ts';
import { parseOptions, USAGE } from './options.ts';
import { createPrinter, hintOf, nameOf, summaryOf } from './print.ts';
import { renderReport, reportOf } from './report.ts';
import { serviceChecks } from './services/checks.ts';

const { commands, isShort, isVerbose, report } = optionsOrUsage(parseOptions, USAGE);
const parts = Object.keys(commands) as Part[];
const checks = [...busChecks, ...serviceChecks]
  .filter(({ part }) => commands[part])
  .sort(
    (a, b) =>
      Number(a.isLong ?? false) - Number(b.isLong ?? false) ||
      a.step - b.step ||
      parts.indexOf(a.part) - parts.indexOf(b.part),
  );

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort(signal));
// Such as `| head`, which has read enough.
process.stdout.on('error', () => interrupted.abort('SIGPIPE'));

const screen = createScreen(process.stdout);
const show = isVerbose ? (part: string, line: string) => screen.line(`         ${part} | ${line}`) : undefined;
const waiting = (check: Check) => screen.progress(`running: ${nameOf(check, parts)}`);
const results: Result[] = [];
const printer = createPrinter(parts, screen.line);
try {
  for await (const result of grade(checks, { commands, isShort, show, waiting, signal: interrupted.signal })) {
    results.push(result);
    printer.add(result);
  }
  printer.flush();
  const summary = summaryOf(parts, results);
  for (const line of summary) screen.line(line);
  if (report) {
    writeFileSync(report, renderReport(reportOf(process.argv.slice(2), results, summary)));
    screen.line(`The report is in ${report}.`);
  }
  const hasPassed = results.every(({ outcome }) => outcome === 'passed');
  if (!hasPassed) for (const line of hintOf(isVerbose, report)) screen.line(line);
  process.exitCode = hasPassed ? 0 : 1;
} catch (error) {
  if (interrupted.signal.aborted) {
    screen.line(`${interrupted.signal.reason}: stopped.`);
    process.exitCode = 130;
  } else if (error instanceof NotGradable) {
    screen.progress('');
    console.error(error.message);
    process.exitCode = 2;
  } else if (error instanceof Error && 'syscall' in error) {
    // Such as a full disk.
    console.error(`The grader cannot go on: ${error.message}.`);
    process.exitCode = 2;
  } else throw error;
}
