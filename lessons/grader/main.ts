// `npm run grade`: grades a bus or services of one's own. Exit code 0: every check passed, 1: one failed, 2: wrong usage, or a
// program that cannot be graded, 130: interrupted.
import { writeFileSync } from 'node:fs';
import { optionsOrUsage } from '../../scripts/lib/usage.ts';
import { busChecks } from './bus/checks.ts';
import { NotGradable, type Part } from './check.ts';
import { grade, type Result } from './grade.ts';
import { parseOptions, USAGE } from './options.ts';
import { createPrinter, summaryOf } from './print.ts';
import { renderReport, reportOf } from './report.ts';
import { serviceChecks } from './services/checks.ts';

const { commands, isShort, isVerbose, report } = optionsOrUsage(parseOptions, USAGE);
const parts = Object.keys(commands) as Part[];
const checks = [...busChecks, ...serviceChecks]
  .filter(({ part }) => commands[part])
  .sort((a, b) => a.step - b.step || parts.indexOf(a.part) - parts.indexOf(b.part));

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort(signal));
// Such as `| head`, which has read enough.
process.stdout.on('error', () => interrupted.abort('SIGPIPE'));

const show = isVerbose ? (part: string, line: string) => console.log(`         ${part} | ${line}`) : undefined;
const results: Result[] = [];
const printer = createPrinter(parts, console.log);
try {
  for await (const result of grade(checks, { commands, isShort, show, signal: interrupted.signal })) {
    results.push(result);
    printer.add(result);
  }
  printer.flush();
  const summary = summaryOf(parts, results);
  for (const line of summary) console.log(line);
  if (report) writeFileSync(report, renderReport(reportOf(process.argv.slice(2), results, summary)));
  process.exitCode = results.every(({ outcome }) => outcome === 'passed') ? 0 : 1;
} catch (error) {
  if (interrupted.signal.aborted) {
    console.log(`${interrupted.signal.reason}: stopped.`);
    process.exitCode = 130;
  } else if (error instanceof NotGradable) {
    console.error(error.message);
    process.exitCode = 2;
  } else if (error instanceof Error && 'syscall' in error) {
    // Such as a full disk.
    console.error(`The grader cannot go on: ${error.message}.`);
    process.exitCode = 2;
  } else throw error;
}
