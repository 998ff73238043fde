// `npm test`: types, lint, then all tests; the last line counts them. Arguments go to Jest: npm test --
// --selectProjects posts. `npm run test:long` (--long) runs the fault suite in full size, with LONG=1.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../lib/part-process.ts';

type Count = { passed: number; failed: number; skipped: number };

const total: Count = { passed: 0, failed: 0, skipped: 0 };
const env = {
  ...process.env,
  NODE_ENV: 'test',
  // Caches compiled code, as `npm start` does, for the many processes that the tests start.
  NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compile'),
};

function run(program: string, ...args: string[]): boolean {
  const script = join(root, 'node_modules', program);
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  return spawnSync(process.execPath, [...flags, script, ...args], { cwd: root, env, stdio: 'inherit' }).status === 0;
}

function check(title: string, ...programs: [program: string, ...args: string[]][]): void {
  console.log(`\n${title}`);
  const passed = programs.map((command) => run(...command)).every(Boolean);
  total[passed ? 'passed' : 'failed'] += 1;
  console.log(passed ? '  passed' : '  FAILED');
}

function jest(title: string, ...args: string[]): void {
  console.log(`\n${title}`);
  const folder = mkdtempSync(join(tmpdir(), 'blog-tests-'));
  const report = join(folder, 'result.json');
  try {
    const passed = run('jest/bin/jest.js', '--passWithNoTests', '--json', `--outputFile=${report}`, ...args);
    const result = JSON.parse(readFileSync(report, 'utf8'));
    // A file that could not be run has no tests to count.
    const failed = result.numFailedTests + result.numRuntimeErrorTestSuites;
    total.passed += result.numPassedTests;
    total.failed += passed ? failed : Math.max(1, failed);
    total.skipped += result.numPendingTests + result.numTodoTests;
  } catch {
    total.failed += 1; // Jest itself failed, and has printed the reason
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const long = process.argv[2] === '--long';
const given = process.argv.slice(long ? 3 : 2);
check('Types', ['typescript/bin/tsc', '-p', 'tsconfig.json'], ['typescript/bin/tsc', '-p', 'client']);
check('Lint', ['@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.']);
const before = total.passed + total.failed;
if (long) {
  Object.assign(env, { LONG: '1' });
  jest(
    'The fault suite in full size',
    '--runInBand',
    '--selectProjects',
    'e2e',
    '--testPathPatterns',
    'faults|copies',
    ...given,
  );
} else if (given.length > 0) {
  jest('Tests', '--maxWorkers=2', ...given);
} else {
  // Most tests wait for processes and for timers: with a worker for each core, two cores were half idle.
  jest('Tests', '--maxWorkers=4');
}
if (total.passed + total.failed === before) {
  console.log('No test was run.');
  total.failed += 1;
}
console.log(`\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`);
process.exitCode = total.failed > 0 ? 1 : 0;
