// The checks of comments: it stores comments, publishes each, and takes the verdicts on them.
import { type Check, Failed } from '../check.ts';
import { isSuccess } from '../request.ts';
import { oddValues, robust, type Works, withoutIds } from './common.ts';
import { commentModerated, dataOf, postCreated } from './names.ts';
import { outboxChecks, publicationsOf, type Writer } from './outbox.ts';
import { startService } from './stage.ts';
import {
  assertShows,
  assertUpdated,
  create,
  created,
  nameOfComment,
  PATH,
  prepare,
  sentComment,
  shows,
} from './written-comments.ts';

const part = 'comments';

const works: Works = async (stage, sent) => {
  const { id, postId } = await created(stage, 1, `${sent} `);
  await stage.deliver(commentModerated('comment-1', 'approved', { id, postId }));
  await assertShows(stage, `${sent} ${sentComment(1)}; CommentModerated approved`, [['comment-1', 'approved']]);
};

const routes: Check = {
  name: 'routes',
  scene: 'calm',
  part,
  step: 1,
  title: 'a comment is stored as pending and published; CommentModerated sets its status and publishes CommentUpdated',
  plan: {},
  async run(run) {
    const stage = await startService(run, part);
    await prepare(stage);
    const data = await created(stage, 1);
    await assertShows(stage, sentComment(1), [['comment-1', 'pending']]);
    const [comment] = await shows(stage);
    if (String(data.id) !== String(comment?.id) || String(data.postId) !== 'post-1' || data.status !== 'pending')
      throw new Failed(sentComment(1), 'CommentCreated {id, postId, content, status: "pending"}', 'other fields', [
        'comment-1',
      ]);
    const sent = `${sentComment(1)}; CommentModerated rejected`;
    await stage.deliver(commentModerated('comment-1', 'rejected', data));
    await assertShows(stage, sent, [['comment-1', 'rejected']]);
    await assertUpdated(stage, sent, [['comment-1', 'rejected']]);
    const updated = dataOf(publicationsOf(stage, 'CommentUpdated', 'comment-1')[0]);
    if (String(updated.id) !== String(data.id) || String(updated.postId) !== 'post-1')
      throw new Failed(sent, 'CommentUpdated with the same fields', 'other fields', ['comment-1']);
  },
};

const survives: Check = {
  name: 'kill',
  scene: 'kill',
  part,
  step: 2,
  title: 'a comment and its status are there after kill -9',
  plan: {},
  needs: ['routes'],
  async run(run) {
    const stage = await startService(run, part);
    await prepare(stage);
    const data = await created(stage, 1);
    await created(stage, 2);
    await stage.deliver(commentModerated('comment-1', 'approved', data));
    await stage.kill();
    await stage.restart();
    await assertShows(stage, 'comment-1 and comment-2; CommentModerated comment-1 approved; kill -9; started again', [
      ['comment-1', 'approved'],
      ['comment-2', 'pending'],
    ]);
  },
};

const catchesUp: Check = {
  name: 'away',
  scene: 'kill',
  part,
  step: 3,
  title: 'a verdict that came while it was away is shown and published when it is back',
  plan: {},
  needs: ['kill'],
  async run(run) {
    const stage = await startService(run, part);
    await prepare(stage);
    const data = await created(stage, 1);
    await stage.kill();
    stage.bus.append(commentModerated('comment-1', 'approved', data));
    await stage.restart();
    await stage.deliver();
    const sent = `${sentComment(1)}; kill -9; CommentModerated approved; started again`;
    await assertShows(stage, sent, [['comment-1', 'approved']]);
    await assertUpdated(stage, sent, [['comment-1', 'approved']]);
  },
};

const twice: Check = {
  name: 'twice',
  scene: 'kill',
  part,
  step: 4,
  title: 'its own event and a verdict come twice, also after a restart: one comment, one verdict',
  plan: {},
  needs: ['kill'],
  async run(run) {
    const stage = await startService(run, part);
    await prepare(stage);
    const data = await created(stage, 1);
    await stage.repeat(1);
    await stage.deliver(commentModerated('comment-1', 'approved', data));
    await stage.published('CommentUpdated', ['comment-1']);
    await stage.deliver();
    await stage.repeat(2);
    await stage.kill();
    await stage.restart();
    await stage.repeat(stage.bus.log.length - stage.first - 1);
    const sent =
      'CommentCreated comment-1 and CommentModerated comment-1 approved, each three times, with a kill -9 between';
    await assertShows(stage, sent, [['comment-1', 'approved']]);
    await assertUpdated(stage, sent, [['comment-1', 'approved']]);
  },
};

const writer: Writer = {
  part,
  type: 'CommentCreated',
  sent: sentComment,
  name: nameOfComment,
  prepare,
  write: async (stage, n) => (await create(stage, n)).status === 201,
  shows: async (stage) => (await shows(stage)).map(({ name }) => name),
};

const verdictOutbox: Check = {
  name: 'outbox-verdict',
  scene: 'calm',
  part,
  step: 5,
  title: 'CommentUpdated is published, though the bus answered 500 when the verdict came',
  plan: {},
  needs: ['routes'],
  async run(run) {
    const stage = await startService(run, part);
    await prepare(stage);
    const data = await created(stage, 1);
    stage.bus.reaction = 'refuses';
    const verdict = stage.bus.append(commentModerated('comment-1', 'approved', data));
    const answer = await stage.push(verdict);
    if (isSuccess(answer)) stage.position += 1;
    stage.bus.reaction = 'takes';
    await stage.deliver();
    const sent = 'the bus answers 500: CommentModerated comment-1 approved; it is back';
    await assertUpdated(stage, sent, [['comment-1', 'approved']]);
  },
};

const verdicts: Check = {
  name: 'verdicts',
  part,
  step: 7,
  title: 'the first verdict stands, whichever comes later; a verdict on a comment that it does not know blocks nothing',
  plan: {},
  needs: ['routes'],
  async run(run) {
    const stage = await startService(run, part, { asksCheckpoint: true });
    await prepare(stage);
    const first = await created(stage, 1);
    const second = await created(stage, 2);
    const sent = 'comment-1: approved, rejected, approved; comment-9: rejected; comment-2: rejected, approved';
    await stage.deliver(
      commentModerated('comment-1', 'approved', first),
      commentModerated('comment-1', 'rejected', first),
      commentModerated('comment-1', 'approved', first),
      commentModerated('comment-9', 'rejected', { postId: 'post-9' }),
      commentModerated('comment-2', 'rejected', second),
      commentModerated('comment-2', 'approved', second),
    );
    await assertShows(stage, sent, [
      ['comment-1', 'approved'],
      ['comment-2', 'rejected'],
    ]);
    await assertUpdated(stage, sent, [
      ['comment-1', 'approved'],
      ['comment-2', 'rejected'],
    ]);
  },
};

const classic: Check = {
  name: 'classic',
  part,
  step: 7,
  title: 'it works behind a classic bus: events without ids and positions, with fields missing, and numbers as ids',
  plan: {},
  needs: ['routes'],
  async run(run) {
    const history = [
      postCreated('post-1'),
      { type: 'PostCreated', data: { id: 9 } },
      { type: 'CommentModerated', data: { id: 8, postId: 9, content: 'comment-8', status: 'approved' } },
      { type: 'CommentModerated' },
    ];
    const stage = await startService(run, part, { isClassic: true, history });
    await stage.deliver();
    await works(stage, 'the history of a classic bus, and then');
  },
};

export const commentsChecks: Check[] = [
  routes,
  robust({ part, prepare, works, routes: ['/events', PATH] }),
  survives,
  catchesUp,
  twice,
  ...outboxChecks(writer),
  verdictOutbox,
  withoutIds({ part, prepare, works, taken: ['CommentModerated'] }),
  oddValues({ part, prepare, works, taken: ['PostCreated', 'CommentCreated', 'CommentModerated'] }),
  verdicts,
  classic,
];
