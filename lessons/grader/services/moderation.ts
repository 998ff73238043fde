// The checks of moderation: it judges comments, and publishes each verdict.
import { type Check, Failed } from '../check.ts';
import { type Event, listed } from '../events.ts';
import { WAITED } from '../program.ts';
import { isSuccess } from '../request.ts';
import { oddValues, robust, type Works, withoutIds } from './common.ts';
import { commentCreated, dataOf, nameOf } from './names.ts';
import { outboxChecks, publicationsOf, type Writer } from './outbox.ts';
import { type ServiceStage, startService } from './stage.ts';

const part = 'moderation';
const TYPE = 'CommentModerated';
const GOOD = 'comment-1';
const BAD = 'comment-2 orange';
const ODD = 'comment-3';
const ODD_TEXT = ' "Gęślą", 你好 <b>\\ 👩‍💻\n ';

/** Waits for the verdicts; each comment may be judged more than once, but always in the same way. */
async function assertJudged(stage: ServiceStage, sent: string, expected: [name: string, status: string][]) {
  const names = expected.map(([name]) => name);
  if (!(await stage.published(TYPE, names))) {
    const missing = names.filter((name) => !stage.bus.stored(TYPE).includes(name));
    throw new Failed(sent, `${TYPE} of ${listed(names)} ${WAITED}`, `nothing of ${listed(missing)}`, missing);
  }
  for (const [name, status] of expected) {
    for (const event of publicationsOf(stage, TYPE, name)) {
      const seen = dataOf(event).status;
      const word = seen === 'approved' || seen === 'rejected' ? seen : 'with another status';
      if (seen !== status) throw new Failed(sent, `${name} ${status}`, `${name} ${word}`, [name]);
    }
  }
}

/** Throws unless each verdict on a comment has its id, its post and its content as they were. */
function assertSameFields(stage: ServiceStage, sent: string, comment: Event): void {
  const { id, postId, content } = dataOf(comment);
  const name = nameOf(comment);
  for (const event of publicationsOf(stage, TYPE, name)) {
    const verdict = dataOf(event);
    if (String(verdict.id) === String(id) && String(verdict.postId) === String(postId) && verdict.content === content)
      continue;
    throw new Failed(sent, `${TYPE} {id, postId, content, status}, as in the comment`, 'other fields', [name]);
  }
}

const works: Works = async (stage, sent) => {
  await stage.deliver(commentCreated(GOOD), commentCreated(BAD));
  await assertJudged(stage, `${sent} CommentCreated ${GOOD}, ${BAD}`, [
    [GOOD, 'approved'],
    [BAD, 'rejected'],
  ]);
};

const routes: Check = {
  name: 'routes',
  scene: 'calm',
  part,
  step: 1,
  title:
    'a comment with the word orange is rejected, any other approved: CommentModerated with the fields of the comment',
  plan: {},
  async run(run) {
    const stage = await startService(run, part);
    const comments = [commentCreated(GOOD), commentCreated(BAD), commentCreated(ODD, 'post-1', { content: ODD_TEXT })];
    await stage.deliver(...comments);
    const sent = `CommentCreated ${listed(comments.map(nameOf))}`;
    await assertJudged(stage, sent, [
      [GOOD, 'approved'],
      [BAD, 'rejected'],
      [ODD, 'approved'],
    ]);
    for (const comment of comments) assertSameFields(stage, `CommentCreated ${nameOf(comment)}`, comment);
    await stage.deliver();
  },
};

const catchesUp: Check = {
  name: 'away',
  scene: 'kill',
  part,
  step: 3,
  title: 'a comment that was written while it was away is judged when it is back',
  plan: {},
  needs: ['routes'],
  async run(run) {
    const stage = await startService(run, part);
    await stage.kill();
    stage.bus.append(commentCreated(GOOD));
    await stage.restart();
    await stage.deliver();
    await assertJudged(stage, `kill -9; CommentCreated ${GOOD}; started again`, [[GOOD, 'approved']]);
  },
};

const twice: Check = {
  name: 'twice',
  scene: 'kill',
  part,
  step: 4,
  title: 'a comment that comes twice, also after a restart, is judged once, or again in the same way',
  plan: {},
  needs: ['routes'],
  async run(run) {
    const stage = await startService(run, part);
    const event = stage.bus.append(commentCreated(BAD));
    await stage.deliver();
    await stage.published(TYPE, [BAD]);
    await stage.push(event);
    await stage.deliver();
    await stage.kill();
    await stage.restart();
    await stage.push(event);
    await stage.deliver(commentCreated(GOOD));
    await assertJudged(stage, `CommentCreated ${BAD} three times, with a kill -9 between; ${GOOD}`, [
      [BAD, 'rejected'],
      [GOOD, 'approved'],
    ]);
  },
};

/** The push of a comment takes the place of a caller's request: a bus repeats it until it is answered with a 2xx. */
const writer: Writer = {
  part,
  type: TYPE,
  sent: (n) => `CommentCreated comment-${n}`,
  name: (n) => `comment-${n}`,
  async write(stage, n) {
    const event = stage.bus.append(commentCreated(`comment-${n}`));
    const answer = await stage.push(event);
    return isSuccess(answer);
  },
  mayRepeat: true,
  async finish(stage, acknowledged) {
    // An acknowledged event does not come again.
    const comments = stage.bus.log.slice(stage.first).filter(({ type }) => type === 'CommentCreated');
    for (const [i, comment] of comments.entries()) if (!acknowledged[i]) await stage.deliverAgain(comment);
    stage.position = stage.bus.log.length;
    acknowledged.fill(true);
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
    const numbered = commentCreated('comment-4', '', { id: 7, postId: 8 });
    const history = [
      { type: 'CommentCreated', data: { id: 9, postId: 8 } },
      { type: 'CommentCreated' },
      commentCreated('comment-3'),
      numbered,
    ];
    const stage = await startService(run, part, { isClassic: true, history });
    await stage.deliver();
    await works(stage, 'the history of a classic bus, and then');
    const sent = 'CommentCreated comment-3, and comment-4 with numbers as ids, in the history, and delivered';
    await assertJudged(stage, sent, [
      ['comment-3', 'approved'],
      ['comment-4', 'approved'],
    ]);
    assertSameFields(stage, sent, numbered);
  },
};

export const moderationChecks: Check[] = [
  routes,
  robust({ part, works, routes: ['/events'] }),
  catchesUp,
  twice,
  ...outboxChecks(writer),
  withoutIds({ part, works, taken: ['CommentCreated'] }),
  oddValues({ part, works, taken: ['CommentCreated'] }),
  classic,
];
