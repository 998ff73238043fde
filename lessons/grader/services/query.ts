// The checks of query: it makes a read model of the events.
import { isDeepStrictEqual } from 'node:util';
import { type Check, Failed } from '../check.ts';
import { difference, type Event, listed } from '../events.ts';
import { oddValues, robust, type Works, withoutIds } from './common.ts';
import { commentCreated, commentUpdated, nameOf, postCreated, UNKNOWN } from './names.ts';
import { type ServiceStage, startService } from './stage.ts';

const part = 'query';

type Shown = { id?: unknown; title?: unknown; comments?: unknown };

/** The posts and comments that `GET /posts` shows, as lines: `post-1`, `comment-1 approved`. */
async function shows(stage: ServiceStage): Promise<string[]> {
  const posts = (await stage.read('/posts')) as Record<string, Shown> | null;
  const form = 'an object by id: {"id", "title", "comments": [{"id", "content", "status"}]}';
  if (typeof posts !== 'object' || posts === null || Array.isArray(posts))
    throw new Failed('GET /posts', form, 'another form');
  const lines: string[] = [];
  for (const [id, post] of Object.entries(posts)) {
    if (String(post?.id) !== id || !Array.isArray(post.comments)) throw new Failed('GET /posts', form, 'other fields');
    lines.push(nameOf({ data: { title: post.title } }));
    for (const comment of post.comments)
      lines.push(`${nameOf({ data: { content: comment?.content } })} ${String(comment?.status).slice(0, 20)}`);
  }
  const known = lines.filter((line) => !line.startsWith(UNKNOWN));
  stage.note(known);
  return known;
}

/** The differences, and the events that they are about. */
function compare(expected: string[], seen: string[]) {
  const wrong = difference([...expected].sort(), [...seen].sort());
  return wrong && { ...wrong, about: wrong.about.map((line) => line.split(' ')[0] as string) };
}

async function assertShows(stage: ServiceStage, sent: string, expected: string[]): Promise<void> {
  const wrong = compare(expected, await shows(stage));
  if (wrong) throw new Failed(`${sent}; GET /posts`, listed(expected), wrong.seen, wrong.about);
}

/** Waits until all of it is shown, once or more often: a read model may be rebuilt in the background. */
async function assertShowsSoon(stage: ServiceStage, sent: string, expected: string[], isExact = false): Promise<void> {
  let seen: string[] = [];
  let isReading = false;
  let failure: unknown;
  const read = () => {
    if (isReading) return;
    isReading = true;
    shows(stage)
      .then((lines) => (seen = lines))
      .catch((error) => (failure = error))
      .finally(() => (isReading = false));
  };
  const has = () => (isExact ? !compare(expected, seen) : expected.every((line) => seen.includes(line)));
  await stage.run.until(() => {
    if (has() || failure) return true;
    read();
    return false;
  });
  await stage.run.until(() => !isReading);
  if (failure) throw failure;
  if (has()) return;
  const wrong = compare(expected, isExact ? seen : [...new Set(seen)]);
  throw new Failed(`${sent}; GET /posts`, listed(expected), wrong?.seen ?? 'another answer', wrong?.about);
}

const EVENTS: Event[] = [
  postCreated('post-1'),
  commentCreated('comment-1'),
  commentUpdated('comment-1', 'approved'),
  postCreated('post-2'),
  commentCreated('comment-2', 'post-2'),
];
const SHOWN = ['post-1', 'comment-1 approved', 'post-2', 'comment-2 pending'];
const SENT = 'post-1, comment-1, which is approved, post-2 and comment-2';

const works: Works = async (stage, sent) => {
  await stage.deliver(...EVENTS);
  await assertShows(stage, `${sent} ${SENT}`, SHOWN);
};

const routes: Check = {
  name: 'routes',
  scene: 'calm',
  part,
  step: 1,
  title: 'GET /posts shows what PostCreated, CommentCreated and CommentUpdated have said, at once after the 2xx',
  plan: {},
  async run(run) {
    const stage = await startService(run, part);
    await works(stage, 'deliver');
  },
};

const survives: Check = {
  name: 'kill',
  scene: 'kill',
  part,
  step: 2,
  title: 'what it has shown is there after kill -9, from its own database or from the log of the bus',
  plan: {},
  needs: ['routes'],
  async run(run) {
    const stage = await startService(run, part);
    await stage.deliver(...EVENTS);
    await stage.kill();
    await stage.restart();
    await assertShowsSoon(stage, `${SENT}; kill -9; started again`, SHOWN);
  },
};

const catchesUp: Check = {
  name: 'away',
  scene: 'kill',
  part,
  step: 3,
  title: 'what was published while it was away is shown when it is back',
  plan: {},
  needs: ['kill'],
  async run(run) {
    const stage = await startService(run, part);
    await stage.deliver(...EVENTS.slice(0, 2));
    await stage.kill();
    for (const event of EVENTS.slice(2)) stage.bus.append(event);
    await stage.restart();
    await stage.deliver();
    const sent = 'post-1 and comment-1; kill -9; comment-1 is approved, post-2, comment-2; started again';
    await assertShowsSoon(stage, sent, SHOWN);
  },
};

const twice: Check = {
  name: 'twice',
  scene: 'kill',
  part,
  step: 4,
  title: 'an event that comes twice is shown once, also after a restart',
  plan: {},
  needs: ['routes'],
  async run(run) {
    const stage = await startService(run, part);
    for (const [i, event] of EVENTS.entries()) {
      await stage.deliver(event);
      await stage.repeat(1);
      const expected = SHOWN.slice(0, [1, 2, 2, 3, 4][i]).map((line) =>
        i === 1 ? line.replace('approved', 'pending') : line,
      );
      await assertShows(stage, `${nameOf(event)} twice`, expected);
    }
    await stage.kill();
    await stage.restart();
    await stage.repeat(1);
    await assertShowsSoon(stage, 'the last event again, after a kill -9', SHOWN, true);
  },
};

const order: Check = {
  name: 'order',
  scene: 'checkpoint',
  part,
  step: 7,
  title: 'a comment may come before its post, a verdict before its comment, and the first verdict stands',
  plan: {},
  needs: ['routes'],
  async run(run) {
    const stage = await startService(run, part, { asksCheckpoint: true });
    await stage.deliver(
      commentCreated('comment-1'),
      commentUpdated('comment-2', 'rejected'),
      postCreated('post-1'),
      commentCreated('comment-2'),
      commentUpdated('comment-1', 'approved'),
      commentUpdated('comment-1', 'rejected'),
      commentCreated('comment-1'),
    );
    const sent = 'comment-1; comment-2 rejected; post-1; comment-2; comment-1 approved, then rejected; comment-1 again';
    await assertShows(stage, sent, ['post-1', 'comment-1 approved', 'comment-2 rejected']);
  },
};

const rebuilt: Check = {
  name: 'rebuild',
  scene: 'checkpoint',
  part,
  step: 7,
  title: 'it continues after kill -9 from where it was, and rebuilds the same from nothing when its data is lost',
  plan: {},
  needs: ['routes'],
  async run(run) {
    const stage = await startService(run, part, { asksCheckpoint: true });
    await stage.deliver(...EVENTS.slice(0, 3));
    await stage.kill();
    for (const event of EVENTS.slice(3)) stage.bus.append(event);
    await stage.restart();
    await stage.deliver();
    await assertShowsSoon(stage, 'kill -9 after the third of five events; started again', SHOWN, true);
    const before = await stage.read('/posts');
    await stage.kill();
    stage.loseData();
    await stage.restart();
    await stage.deliver();
    const sent = `${SENT}; its DATA_DIR is emptied; started again`;
    await assertShowsSoon(stage, sent, SHOWN, true);
    if (!isDeepStrictEqual(await stage.read('/posts'), before))
      throw new Failed(sent, 'the same answer as before', 'another one');
  },
};

const classic: Check = {
  name: 'classic',
  part,
  step: 7,
  title:
    'it works behind a classic bus: events without ids and positions, twice, with fields missing, and numbers as ids',
  plan: {},
  needs: ['routes'],
  async run(run) {
    const history: Event[] = [
      ...EVENTS.slice(0, 2),
      { type: 'PostCreated', data: { id: 9 } },
      { type: 'CommentCreated', data: { id: 8, postId: 9 } },
      { type: 'CommentUpdated', data: { id: 'comment-1', postId: 'post-1', status: 'approved' } },
      { type: 'CommentUpdated' },
    ];
    const stage = await startService(run, part, { isClassic: true, history });
    await stage.deliver();
    await stage.deliver(...EVENTS.slice(3), ...EVENTS);
    await assertShowsSoon(stage, 'a history without ids, and then the same events again', SHOWN, true);
  },
};

export const queryChecks: Check[] = [
  routes,
  robust({ part, works, routes: ['/events'] }),
  survives,
  catchesUp,
  twice,
  withoutIds({ part, works, taken: ['PostCreated', 'CommentCreated', 'CommentUpdated'] }),
  oddValues({ part, works, taken: ['PostCreated', 'CommentCreated', 'CommentUpdated'] }),
  order,
  rebuilt,
  classic,
];
