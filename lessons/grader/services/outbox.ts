// Step 5, for each service that publishes: the change and its event are one, whatever the bus does and whenever the service dies.
import { type Check, Failed, type Part } from '../check.ts';
import { difference, listed } from '../events.ts';
import type { Run } from '../run.ts';
import { nameOf } from './names.ts';
import { type ServiceStage, startService } from './stage.ts';

/** The way in which a service is made to write and to publish. */
export type Writer = {
  part: Part;
  /** The event that it publishes for each write. */
  type: string;
  /** The n-th write in words. */
  sent(n: number): string;
  name(n: number): string;
  /** Events that the service needs before the first write. */
  prepare?(stage: ServiceStage): Promise<void>;
  /** Makes it write. True: acknowledged with a 2xx. */
  write(stage: ServiceStage, n: number): Promise<boolean>;
  /** The same event may be published again, without the same id: its subscribers are idempotent. */
  mayRepeat?: boolean;
  /** After the faults: delivers again what was not acknowledged. */
  finish?(stage: ServiceStage, acknowledged: boolean[]): Promise<void>;
  /** The names of what it shows. */
  shows?(stage: ServiceStage): Promise<string[]>;
};

/** The longest time in which a write may be acknowledged while the bus hangs, in milliseconds. Longer is no failure. */
const HOLD = 1_000;

/** Writes while the bus does not answer, until the write is acknowledged, or it is clear that it waits for the bus. */
async function writeWhileHanging(
  run: Run,
  writer: Writer,
  stage: ServiceStage,
  n: number,
): Promise<{ writing: Promise<boolean> }> {
  let isAnswered = false;
  const writing = writer.write(stage, n);
  writing.then(
    () => (isAnswered = true),
    () => (isAnswered = true),
  );
  await run.until(() => stage.bus.isHolding || isAnswered);
  const since = performance.now();
  await run.until(() => (stage.bus.isHolding && isAnswered) || performance.now() - since > HOLD);
  // In an object: a promise would be awaited with this one.
  return { writing };
}

/** Everything acknowledged or shown must be published: once, and in the order of the writes. */
async function assertPublished(
  writer: Writer,
  stage: ServiceStage,
  acknowledged: boolean[],
  sent: string,
): Promise<void> {
  const { type, part } = writer;
  const isShown = new Set(writer.shows ? await writer.shows(stage) : []);
  const names = acknowledged.map((_, i) => writer.name(i + 1));
  const expected = names.filter((name, i) => acknowledged[i] || isShown.has(name));
  const last = expected.at(-1);
  // The outbox is sent in order: what has not come when the last one has will not come.
  if (last !== undefined) await stage.published(type, [last]);
  const stored = stage.bus.stored(type).filter((name) => expected.includes(name));
  // Nor does their order matter.
  const published = writer.mayRepeat ? expected.filter((name) => stored.includes(name)) : stored;
  const wrong = difference(expected, published);
  if (!wrong) return;
  const [about = ''] = wrong.about;
  const seen = published.includes(about)
    ? wrong.seen
    : `${part} ${acknowledged[names.indexOf(about)] ? 'has acknowledged' : 'shows'} ${about}, and never published it`;
  throw new Failed(sent, `${type} of ${listed(expected)}, in this order`, seen, wrong.about);
}

/** After the faults: the bus repeats what was not acknowledged, and one more write tells that the ones before are through. */
async function finish(writer: Writer, stage: ServiceStage, acknowledged: boolean[], sent: string): Promise<void> {
  await writer.finish?.(stage, acknowledged);
  const n = acknowledged.length + 1;
  acknowledged.push(await writer.write(stage, n));
  if (!acknowledged.at(-1))
    throw new Failed(`${sent}; ${writer.sent(n)}`, 'a 2xx, because the bus is there', 'none', [writer.name(n)]);
  await assertPublished(writer, stage, acknowledged, `${sent}; ${writer.sent(n)}`);
}

const FAULTS = ['is away', 'refuses', 'hangs'] as const;

export function outboxChecks(writer: Writer): Check[] {
  const { part, type } = writer;
  const start = async (run: Run) => {
    const stage = await startService(run, part);
    await writer.prepare?.(stage);
    return stage;
  };
  const needs = ['routes'];
  return [
    {
      name: 'outbox-away',
      scene: 'calm',
      part,
      step: 5,
      title: `${type} is published, though the bus was away, answered 500 or hung when the change was made`,
      plan: { faults: FAULTS.length },
      least: { faults: 1 },
      needs,
      async run(run) {
        const stage = await start(run);
        const acknowledged: boolean[] = [];
        const faults = FAULTS.slice(0, run.size('faults'));
        for (const [i, fault] of faults.entries()) {
          stage.bus.reaction = fault;
          const { writing } =
            fault === 'hangs'
              ? await writeWhileHanging(run, writer, stage, i + 1)
              : { writing: writer.write(stage, i + 1) };
          if (fault === 'hangs') stage.bus.reaction = 'takes';
          acknowledged.push(await writing);
        }
        stage.bus.reaction = 'takes';
        const sent = faults.map((fault, i) => `the bus ${fault}: ${writer.sent(i + 1)}; `).join('');
        await finish(writer, stage, acknowledged, `${sent}it is there again`);
      },
    },
    {
      name: 'outbox-killed',
      showsBefore: true,
      scene: 'kill',
      part,
      step: 5,
      title: `killed between its commit and the publication, ${part} publishes after its restart`,
      plan: {},
      needs,
      async run(run) {
        const stage = await start(run);
        stage.bus.reaction = 'hangs';
        const { writing } = await writeWhileHanging(run, writer, stage, 1);
        await stage.kill();
        const acknowledged = [await writing];
        stage.bus.reaction = 'takes';
        await stage.restart();
        await finish(
          writer,
          stage,
          acknowledged,
          `${writer.sent(1)}; kill -9 before the bus has answered; started again`,
        );
      },
    },
    {
      name: 'outbox-answer',
      scene: 'calm',
      part,
      step: 5,
      title: writer.mayRepeat
        ? 'a verdict is published, though the answer of the bus to it was lost'
        : 'a publication whose answer was lost is in the log once: it is sent again with the same id, or not at all',
      plan: {},
      needs,
      async run(run) {
        const stage = await start(run);
        stage.bus.reaction = 'loses the answer';
        const before = stage.bus.publications.length;
        const writing = writer.write(stage, 1);
        await run.until(() => stage.bus.publications.length > before);
        stage.bus.reaction = 'takes';
        const acknowledged = [await writing];
        await finish(writer, stage, acknowledged, `${writer.sent(1)}, and the bus's answer is lost`);
      },
    },
  ];
}

/** The publications of this type and name, with what they say besides. */
export const publicationsOf = (stage: ServiceStage, type: string, name: string) =>
  stage.bus.publications.filter((event) => event.type === type && nameOf(event) === name);
