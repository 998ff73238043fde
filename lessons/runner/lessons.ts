// The eight lessons: each does the break of its step in the middle of twenty writes.
import { setTimeout as pause } from 'node:timers/promises';
import type { Run } from './run.ts';

export type Lesson = {
  /** The kind of the twenty writes. */
  writes: 'comments' | 'posts';
  /** Sentences: the break, exactly. */
  happens: string;
  /** A sentence: the reason for the outcome of the step before. */
  before: string;
  /** A sentence: the reason for the outcome of this step. */
  after: string;
  /** Set if verdicts that changed are counted as well. */
  countsChanged?: true;
  /** Does the twenty writes, and the break. */
  run(run: Run): Promise<void>;
};

const fanOut: Lesson = {
  writes: 'comments',
  happens: 'Nothing breaks. One comment is three events, and each event is sent to all four services.',
  before: '',
  after: 'While every program runs, ten lines are enough.',
  async run({ write, blog, quiet, say }) {
    await write();
    await quiet();
    const [first] = await blog.storedComments(blog.postId);
    const about = blog.proxy.exchanges().filter(({ event }) => event.data?.id === first?.id);
    const published = about.filter(({ to }) => to === 'bus');
    for (const { from, event } of published) {
      const taken = about.filter((one) => one.from === 'bus' && one.event.type === event.type).map(({ to }) => to);
      say(`${from} → bus: ${event.type}; bus → ${taken.sort().join(', ')}`);
    }
    await write(19);
  },
};

const log: Lesson = {
  writes: 'comments',
  happens:
    'After comment 10 the bus is killed and started again; then query starts with an empty database, as a new reader.',
  before:
    'What the bus had sent was nowhere any more: the new query never heard of the post, nor of what belongs to it.',
  after: 'query read the whole log at its start.',
  async run({ write, blog, quiet, say }) {
    await write(10);
    await quiet();
    say('the bus is killed, and started again');
    await blog.restart('bus');
    say('query starts again, with an empty database');
    await blog.kill('query');
    blog.wipe('query');
    await blog.restart('query');
    await write(10);
  },
};

const positions: Lesson = {
  writes: 'comments',
  happens: 'After comment 10 moderation is killed; it is away for two seconds, in which three comments are written.',
  before:
    'The bus sent each event once: moderation never heard of the three comments, which wait for a verdict for ever.',
  after: 'The bus kept its position for moderation, and sent the next event again and again until it was taken.',
  async run({ write, blog, quiet, say }) {
    await write(10);
    await quiet();
    say('moderation is killed');
    await blog.kill('moderation');
    await write(3);
    await pause(2_000);
    say('moderation is started again');
    await blog.restart('moderation');
    await write(7);
  },
};

const onceOnly: Lesson = {
  writes: 'comments',
  happens:
    'query has taken comment 10, and the bus is killed before it gets the answer, so before it has noted its new position.',
  before: 'The bus sent comment 10 again, because it did not know better, and query showed it again.',
  after: 'The bus sent comment 10 again, and query recognised it by its id.',
  async run({ write, blog, say }) {
    await write(9);
    const held = blog.proxy.hold(
      'answer',
      ({ to, event }) => to === 'query' && event.type === 'CommentCreated' && event.data?.content === 'comment 10',
    );
    await write();
    await held.reached;
    say('query has taken comment 10: the bus is killed before it hears so');
    await blog.kill('bus');
    held.cut();
    say('the bus is started again');
    await blog.restart('bus');
    await write(10);
  },
};

const outbox: Lesson = {
  writes: 'posts',
  happens:
    'posts has stored post 10 in its database, and is killed before the event has reached the bus. (The writes are posts.)',
  before: 'posts has post 10, and shows it; nothing was left that would publish the event, so query never heard of it.',
  after: 'The event was in the same transaction as the post, and was published after the restart.',
  async run({ write, blog, say }) {
    await write(9);
    const held = blog.proxy.hold('request', ({ from, event }) => from === 'posts' && event.data?.title === 'post 10');
    // Step 5 answers before it publishes, the step before afterwards, which it does not live to do.
    const written = write().catch(() => {});
    await held.reached;
    say('post 10 is stored, and on its way to the bus: posts is killed');
    await blog.kill('posts');
    held.cut();
    await written;
    say('posts is started again');
    await blog.restart('posts');
    await write(10);
  },
};

const deadLetters: Lesson = {
  writes: 'comments',
  happens:
    'After comment 10 a faulty program publishes a PostCreated without data, which query refuses, however often it comes.',
  before: 'The bus sent it again and again, and everything behind it waits.',
  after: 'The bus put it aside after a few refusals, as a dead letter, and sent the next event.',
  async run({ write, blog, quiet, say }) {
    await write(10);
    await quiet();
    say('a poison event is published');
    await blog.publish({ type: 'PostCreated', data: null });
    await write(10);
  },
};

const replay: Lesson = {
  writes: 'comments',
  happens: 'After comment 10 a second, different verdict on comment 5 comes; then query loses its database.',
  before:
    'The second verdict replaced the first; and the bus, which trusts its own position, sent the empty query only what is new.',
  after: 'The first verdict stands; and the bus asked query for its checkpoint, and sent it everything again.',
  countsChanged: true,
  async run({ write, blog, quiet, say }) {
    await write(10);
    await quiet();
    const comments = await blog.storedComments(blog.postId);
    const { id, name } = comments[4] as (typeof comments)[number];
    say('a second verdict on comment 5: rejected');
    await blog.publish({
      type: 'CommentModerated',
      data: { id, postId: blog.postId, content: name, status: 'rejected' },
    });
    await blog.until('query hears of the second verdict', () =>
      blog.proxy.exchanges().some(({ to, event }) => to === 'query' && event.data?.status === 'rejected'),
    );
    await quiet();
    say('query loses its database');
    await blog.kill('query');
    blog.wipe('query');
    await blog.restart('query');
    await write(10);
  },
};

const engine: Lesson = {
  writes: 'comments',
  happens:
    'While query is away three comments are written; then the machine with the log is lost: the process and its disk. With step 8 also one of the three nodes of NATS, with its disk.',
  before:
    'The only copy of the log was on that disk. The three comments were nowhere else; and a new log does not continue from where query is, so query takes nothing of it.',
  after: 'Two of three nodes have each event before it is acknowledged; the bus itself had nothing to lose.',
  async run({ write, blog, quiet, say, loseNode }) {
    await write(10);
    await quiet();
    say('query is killed');
    await blog.kill('query');
    await write(3);
    await blog.until('the three comments have their verdicts', async () => {
      const comments = await blog.storedComments(blog.postId);
      return blog.proxy.isIdle() && comments.every(({ status }) => status !== 'pending');
    });
    say('the machine with the log is lost');
    await blog.kill('bus');
    blog.wipe('bus');
    await loseNode();
    say('another machine starts the bus; query comes back');
    await blog.restart('bus');
    await blog.restart('query');
    await write(7);
  },
};

/** By the number of the step. */
export const LESSONS = new Map<number, Lesson>(
  [fanOut, log, positions, onceOnly, outbox, deadLetters, replay, engine].map((lesson, index) => [index + 1, lesson]),
);
