// One side of a lesson: a step's blog, its twenty writes with the break among them, and the outcome.
import { setTimeout as pause } from 'node:timers/promises';
import type { Blog, Item } from './blog.ts';
import type { Lesson } from './lessons.ts';

/** The number of writes of each side. */
export const WRITES = 20;
/** The pause between looks at query, in milliseconds. */
const LOOK_MS = 100;
/**
 * The number of looks without a change after which nothing more is to be expected: four seconds, the double of the longest
 * pause that a bus makes between two attempts. Fewer if nothing is missing.
 */
const [STILL, STILL_WHOLE] = [40, 5];
/** The engine gives out an event that was on its way to a bus that died only after `DELIVERY_TIMEOUT_MS` and a second. */
const STILL_ENGINE = 80;

/** Numbers of different writes. `changed`: with another verdict than the first one that query showed. */
export type Outcome = { sent: number; shown: number; twice: number; pending: number; changed: number };
export type Run = Awaited<ReturnType<typeof createRun>>;

export const isWhole = ({ sent, shown, twice, changed }: Outcome) =>
  sent === WRITES && shown === WRITES && twice === 0 && changed === 0;

type Options = {
  /** The time between two writes, in milliseconds, for a person who watches. */
  pace: number;
  say(text: string): void;
  /** Loses one node of the engine, where there is one. */
  loseNode(): Promise<void>;
};

/** Prepares the side of a lesson on a blog that runs. */
export async function createRun(lesson: Lesson, started: Blog, { pace, say, loseNode }: Options) {
  const { id: postId } = await started.createPost('a post');
  const blog = { ...started, postId };
  const isOurs = ({ name }: Item) => name !== 'a post';
  const verdicts = new Map<string, string>();
  const changed = new Set<string>();
  let written = 0;
  let outcome: Outcome = { sent: 0, shown: 0, twice: 0, pending: 0, changed: 0 };

  await blog.until('query shows the post', async () => (await blog.shownPosts()).length > 0);

  /** Writes this many more, one after another. */
  async function write(count = 1): Promise<void> {
    for (let time = 0; time < count; time++) {
      written += 1;
      if (lesson.writes === 'posts') await blog.createPost(`post ${written}`);
      else await blog.createComment(postId, `comment ${written}`);
      await pause(pace);
    }
  }

  /** Compares what the writes' service has stored with what query shows. */
  async function look(): Promise<Outcome> {
    const posts = lesson.writes === 'posts';
    const sent = (posts ? await blog.storedPosts() : await blog.storedComments(postId)).filter(isOurs).length;
    const items = (posts ? await blog.shownPosts() : await blog.shownComments(postId)).filter(isOurs);
    const byName = Map.groupBy(items, ({ name }) => name);
    for (const [name, [item]] of byName) {
      const { status } = item as Item;
      if (!status || status === 'pending') continue;
      if (!verdicts.has(name)) verdicts.set(name, status);
      if (verdicts.get(name) !== status) changed.add(name);
    }
    const pending = [...byName.values()].filter((same) => same.every(({ status }) => status === 'pending')).length;
    const twice = [...byName.values()].filter(({ length }) => length > 1).length;
    outcome = { sent, shown: byName.size - pending, twice, pending, changed: changed.size };
    return outcome;
  }

  /** Waits until query shows all that is written so far, with its verdicts. */
  const quiet = () =>
    blog.until('query shows all', async () => (await look()).shown === written && blog.proxy.isIdle());

  /** Waits until nothing moves any more. */
  async function settled(): Promise<Outcome> {
    const most = blog.step.number === 8 ? STILL_ENGINE : STILL;
    let before = '';
    for (let still = 0; still < (isWhole(outcome) ? STILL_WHOLE : most); await pause(LOOK_MS)) {
      const now = JSON.stringify([await look(), blog.proxy.moves()]);
      if (now !== before) still = 0;
      else if (blog.proxy.isIdle()) still += 1;
      before = now;
    }
    return outcome;
  }

  return { blog, write, quiet, settled, look, say, loseNode, outcome: () => outcome };
}
