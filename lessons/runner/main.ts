// `npm run lesson` lists the steps; `npm run lesson -- 3` breaks step 2 and then step 3 in the same way, and compares. Exit
// code 0: this step survived its break, and the one before did not; 1: otherwise; 2: it could not be run; 130: interrupted.
import { join } from 'node:path';
import { findNats, startNats } from '../../scripts/lib/nats.ts';
import { remove, temporaryFolder } from '../grader/leftovers.ts';
import { STEPS, type Step } from '../steps.ts';
import { createBlog } from './blog.ts';
import { LESSONS, type Lesson } from './lessons.ts';
import { NotStarted } from './processes.ts';
import { createRun, isWhole, type Outcome } from './run.ts';
import { createScreen, textOf } from './screen.ts';

/** The step that needs `nats-server`, and the oldest version with which it works: it resets a consumer. */
const ENGINE = 8;
const OLDEST_NATS = [2, 14];
/** The time between two writes, in milliseconds, for a person who watches. */
const PACE_MS = 100;

const screen = createScreen(process.stdout);
const began = performance.now();
const seconds = () => Math.round((performance.now() - began) / 1_000);
/** Ends what runs. */
const ends = new Set<() => Promise<unknown>>();
let interrupted = false;

async function endAll(): Promise<void> {
  await Promise.all([...ends].map((end) => end()));
  ends.clear();
}

/** Runs a lesson on one step; nothing of it runs afterwards. */
async function runOn(step: Step, lesson: Lesson, folder: string): Promise<Outcome> {
  const name = step.folder.replace('lessons/', '');
  const say = (text: string) => screen.line(`  ${name}: ${text}`);
  say(step.number === ENGINE ? 'three nodes of NATS, the bus and the four services start' : 'five programs start');
  const starting = step.number === ENGINE ? startNats({ dataDir: join(folder, 'nats') }) : undefined;
  if (starting) ends.add(async () => (await starting.catch(() => {}))?.stop());
  const nats = await starting;
  const blog = await createBlog(step, join(folder, name), nats && { NATS_URL: nats.url });
  ends.add(blog.stop);
  let ticker: NodeJS.Timeout | undefined;
  try {
    await blog.start();
    const loseNode = async () => {
      const lost = await nats?.usable();
      await lost?.kill();
      lost?.wipe();
      await nats?.usable();
    };
    const run = await createRun(lesson, blog, { pace: screen.isLive ? PACE_MS : 0, say, loseNode });
    const show = () => screen.progress(`  ${name}, ${seconds()} s: ${textOf(run.outcome(), lesson.countsChanged)}`);
    // A look fails while query is away.
    if (screen.isLive) ticker = setInterval(() => run.look().then(show, show), 200);
    await lesson.run(run);
    return await run.settled();
  } finally {
    clearInterval(ticker);
    if (!interrupted) await endAll();
  }
}

/** Runs a lesson on the step before and on this one, and compares. */
async function runLesson(step: Step, lesson: Lesson, folder: string): Promise<void> {
  screen.line(`Step ${step.number}, ${step.title}: ${step.adds}.`);
  screen.line(lesson.happens);
  const before = STEPS.find(({ number }) => number === step.number - 1);
  const sides = before ? [before, step] : [step];
  const outcomes: Outcome[] = [];
  for (const side of sides) outcomes.push(await runOn(side, lesson, folder));
  screen.line();
  const width = Math.max(...sides.map(({ folder }) => folder.length));
  for (const [index, side] of sides.entries())
    screen.line(`${side.folder.padEnd(width)}  ${textOf(outcomes[index] as Outcome, lesson.countsChanged)}`);
  screen.line();
  if (before) screen.line(`Step ${before.number}: ${lesson.before}`);
  screen.line(`Step ${step.number}: ${lesson.after}`);
  screen.line(`Read ${step.folder}/README.md. ${seconds()} seconds.`);
  const [first, last] = [outcomes[0], outcomes.at(-1)] as [Outcome, Outcome];
  if (isWhole(last) && (!before || !isWhole(first))) return;
  console.error('This is not the outcome that the lesson is about. Was something changed in the folder of a step?');
  process.exitCode = 1;
}

function list(): void {
  screen.line('The steps, from ten lines to this bus (npm run lesson -- NUMBER):');
  for (const { number, title, adds, break: fault } of STEPS)
    screen.line(`  ${number}  ${title}: ${adds}\n       the break: ${fault}`);
}

function usageError(message: string): never {
  console.error(message);
  process.exit(2);
}

const [argument, ...more] = process.argv.slice(2);
const step = STEPS.find(({ number }) => String(number) === argument);
const lesson = step && LESSONS.get(step.number);
if (argument === undefined) {
  list();
} else if (!step || !lesson || more.length > 0) {
  const given = [argument, ...more].join(' ');
  usageError(`There is no step "${given}": the steps are 1 to ${STEPS.length} (npm run lesson lists them).`);
} else {
  const found = step.number === ENGINE ? findNats(OLDEST_NATS) : undefined;
  if (found && 'missing' in found) usageError(`Step ${step.number} needs nats-server. ${found.missing}`);
  const folder = temporaryFolder();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, async () => {
      interrupted = true;
      screen.line(`${signal}: ends all programs`);
      await endAll();
      remove(folder);
      process.exit(130);
    });
  }
  try {
    await runLesson(step, lesson, folder);
  } catch (error) {
    // The signal's own work ends this process.
    if (interrupted) await new Promise(() => {});
    screen.progress('');
    console.error((error as Error).message);
    process.exitCode = error instanceof NotStarted ? 2 : 1;
  }
  await endAll();
  remove(folder);
}
