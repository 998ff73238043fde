// The checks of posts: it stores posts, and publishes each.
import { type Check, Failed } from '../check.ts';
import { difference, listed } from '../events.ts';
import { shown } from '../request.ts';
import { oddValues, robust, type Works } from './common.ts';
import { dataOf, nameOf, postCreated, UNKNOWN } from './names.ts';
import { outboxChecks, type Writer } from './outbox.ts';
import { type ServiceStage, startService } from './stage.ts';

const part = 'posts';
const nameOfPost = (n: number) => `post-${n}`;
const sentPost = (n: number) => `POST /posts post-${n}`;

async function create(stage: ServiceStage, n: number) {
  return await stage.call('POST', '/posts', { title: nameOfPost(n) }, nameOfPost(n));
}

/** Creates a post, which must succeed. Returns its id. */
async function created(stage: ServiceStage, n: number, before = ''): Promise<string> {
  const answer = await create(stage, n);
  const { id, title } = (answer.body ?? {}) as { id?: unknown; title?: unknown };
  if (answer.status === 201 && (typeof id === 'string' || typeof id === 'number') && title === nameOfPost(n))
    return String(id);
  const seen = answer.status === 201 ? '201, but without the id and the title' : shown(answer);
  throw new Failed(`${before}${sentPost(n)}`, '201 and {"id", "title"}', seen, [nameOfPost(n)]);
}

/** The titles that `GET /posts` shows. */
async function shows(stage: ServiceStage): Promise<string[]> {
  const posts = (await stage.read('/posts')) as Record<string, { id?: unknown; title?: unknown }> | null;
  const isKeyed = typeof posts === 'object' && !Array.isArray(posts);
  const wrong = !isKeyed || Object.entries(posts ?? {}).some(([id, post]) => String(post?.id) !== id);
  if (wrong) throw new Failed('GET /posts', 'an object of all posts by id', 'another form');
  const names = Object.values(posts ?? {}).map((post) => nameOf({ data: { title: post.title } }));
  const own = names.filter((name) => name !== UNKNOWN);
  stage.note(own);
  return own;
}

async function assertShows(stage: ServiceStage, sent: string, names: string[]): Promise<void> {
  const wrong = difference([...names].sort(), (await shows(stage)).sort());
  if (wrong) throw new Failed(`${sent}; GET /posts`, listed(names), wrong.seen, wrong.about);
}

const works: Works = async (stage, sent) => {
  await created(stage, 1, `${sent} `);
  if (!(await stage.published('PostCreated', ['post-1'])))
    throw new Failed(`${sent} ${sentPost(1)}`, 'PostCreated of post-1', 'nothing was published', ['post-1']);
};

const routes: Check = {
  name: 'routes',
  scene: 'calm',
  part,
  step: 1,
  title: 'POST /posts answers 201 and the post, GET /posts shows it by its id, and PostCreated is published',
  plan: {},
  async run(run) {
    const stage = await startService(run, part);
    const id = await created(stage, 1);
    await assertShows(stage, sentPost(1), ['post-1']);
    if (!(await stage.published('PostCreated', ['post-1'])))
      throw new Failed(sentPost(1), 'PostCreated of post-1', 'nothing of it was published', ['post-1']);
    const data = dataOf(stage.bus.publications.find((event) => nameOf(event) === 'post-1'));
    if (String(data.id) !== id)
      throw new Failed(sentPost(1), 'PostCreated with the id of the answer', 'another id', ['post-1']);
    await stage.deliver();
  },
};

const survives: Check = {
  name: 'kill',
  scene: 'kill',
  part,
  step: 2,
  title: 'a post that was acknowledged is there after kill -9',
  plan: { posts: 3 },
  short: { posts: 1 },
  least: { posts: 1 },
  needs: ['routes'],
  async run(run) {
    const stage = await startService(run, part);
    const names: string[] = [];
    for (let n = 1; n <= run.size('posts'); n += 1) {
      await created(stage, n);
      names.push(nameOfPost(n));
    }
    await stage.published('PostCreated', names);
    await stage.kill();
    await stage.restart();
    await assertShows(stage, `POST /posts ${listed(names)}; kill -9; started again`, names);
  },
};

const twice: Check = {
  name: 'twice',
  scene: 'kill',
  part,
  step: 4,
  title: 'its own event comes back, and comes twice, also after a restart: the post is shown once',
  plan: {},
  needs: ['kill'],
  async run(run) {
    const stage = await startService(run, part);
    await created(stage, 1);
    await stage.published('PostCreated', ['post-1']);
    await stage.deliver();
    await stage.repeat(1);
    await stage.kill();
    await stage.restart();
    await stage.repeat(1);
    await assertShows(stage, 'POST /posts post-1; its PostCreated three times, with a kill -9 between', ['post-1']);
  },
};

const writer: Writer = {
  part,
  type: 'PostCreated',
  sent: sentPost,
  name: nameOfPost,
  write: async (stage, n) => (await create(stage, n)).status === 201,
  shows,
};

const classic: Check = {
  name: 'classic',
  part,
  step: 7,
  title: 'it works behind a classic bus: events without ids and positions, with fields missing, and numbers as ids',
  plan: {},
  needs: ['routes'],
  async run(run) {
    const history = [postCreated('post-8'), { type: 'PostCreated', data: { id: 9 } }, { type: 'CommentCreated' }];
    const stage = await startService(run, part, { isClassic: true, history });
    await stage.deliver();
    await works(stage, 'the history of a classic bus, and then');
    if (!(await shows(stage)).includes('post-1'))
      throw new Failed('POST /posts post-1; GET /posts', 'post-1', 'it is not there', ['post-1']);
  },
};

export const postsChecks: Check[] = [
  routes,
  robust({ part, works, routes: ['/posts'] }),
  survives,
  twice,
  ...outboxChecks(writer),
  oddValues({ part, works, taken: ['PostCreated', 'CommentCreated'] }),
  classic,
];
