// The checker itself: it reports nothing about a correct blog, and something about each incorrect one.
import { expect, test } from '@jest/globals';
import { check, fingerprint, type Kind, type LogEvent, type Snapshot, type Write } from './lib/checker.ts';

const POSTS = ['p1', 'p2'];
const COMMENTS = [
  { id: 'c1', postId: 'p1', content: 'fine', status: 'approved' },
  { id: 'c2', postId: 'p2', content: 'an ＯＲＡＮＧＥ day', status: 'rejected' },
  { id: 'c3', postId: 'p1', content: 'fine, too', status: 'approved' },
];

/** Two posts with three comments, as every part should have them. */
function rightSnapshot(): Snapshot {
  const log: LogEvent[] = [];
  const append = (source: string, type: string, data: LogEvent['data']) =>
    log.push({ position: log.length + 1, source, id: `${data.id}/${type}`, type, data });
  for (const id of POSTS) append('posts', 'PostCreated', { id, title: `title of ${id}` });
  for (const comment of COMMENTS) append('comments', 'CommentCreated', { ...comment, status: 'pending' });
  for (const comment of COMMENTS) append('moderation', 'CommentModerated', comment);
  for (const comment of COMMENTS) append('comments', 'CommentUpdated', comment);
  const comments = COMMENTS.map((comment, index) => ({ ...comment, seq: index + 1 }));
  const query = POSTS.toReversed().map((id, index) => {
    const own = comments.filter(({ postId }) => postId === id).map(({ postId, ...comment }) => comment);
    return { id, title: `title of ${id}`, seq: POSTS.length - index, commentCount: own.length, comments: own };
  });
  return {
    log,
    seen: new Map(log.map((event) => [event.position, fingerprint(event)])),
    posts: POSTS.map((id) => ({ id, title: `title of ${id}` })),
    comments,
    query,
    subscriptions: [{ name: 'query', state: 'live', lag: 0 }],
    deadLetters: [],
    verdict: { ok: true },
  };
}

const written = (): Write[] => [
  ...POSTS.map((id): Write => ({ kind: 'post', text: `title of ${id}`, key: id, outcome: 'acknowledged', id })),
  ...COMMENTS.map(
    ({ id, postId, content }): Write => ({
      ...{ kind: 'comment', text: content, key: id, outcome: 'acknowledged', id, postId },
    }),
  ),
  { kind: 'post', text: 'too long', key: 'refused', outcome: 'refused' },
  { kind: 'comment', postId: 'p1', text: 'never answered', key: 'unknown', outcome: 'unknown' },
];

const kinds = (writes: Write[], snapshot: Snapshot) => check(writes, snapshot).map(({ kind }) => kind);

test('a correct blog has no violations', () => {
  expect(check(written(), rightSnapshot())).toEqual([]);
});

test('a write with an unknown outcome may exist once', () => {
  const late: Write = { kind: 'comment', text: 'fine', key: 'late', outcome: 'unknown', postId: 'p1' };
  const writes = written().map((write) => (write.id === 'c1' ? late : write));
  expect(check(writes, rightSnapshot())).toEqual([]);
});

/** An item that must exist. */
function at<T>(items: T[], index: number): T {
  const item = items.at(index);
  if (item === undefined) throw new Error(`nothing at ${index}`);
  return item;
}

const planted: [what: string, kind: Kind, plant: (snapshot: Snapshot, writes: Write[]) => void][] = [
  ['an acknowledged post that is not in the log', 'lost', ({ log }) => log.shift()],
  ['an acknowledged comment that its service does not have', 'lost', ({ comments }) => comments.pop()],
  ['an acknowledged post that query does not show', 'lost', ({ query }) => query.pop()],
  [
    'two log entries of one source and id',
    'duplicated',
    ({ log }) => log.push({ ...at(log, 0), position: log.length + 1 }),
  ],
  ['a comment shown twice', 'duplicated', ({ query }) => at(query, 1).comments.push(at(at(query, 1).comments, 0))],
  [
    'one write stored under two ids',
    'duplicated',
    ({ comments }) => comments.push({ ...at(comments, 0), id: 'c4', seq: 4 }),
  ],
  [
    'one key acknowledged with two ids',
    'duplicated',
    (_, writes) => writes.push({ ...at(writes, 2), id: 'c3', text: 'fine, too' }),
  ],
  [
    'another verdict than the banned words give',
    'wrong',
    ({ comments }) => {
      at(comments, 1).status = 'approved';
    },
  ],
  [
    'another content than was written',
    'wrong',
    ({ comments }) => {
      at(comments, 0).content = 'changed';
    },
  ],
  [
    'a comment on another post than was written',
    'wrong',
    ({ comments }) => {
      at(comments, 0).postId = 'p2';
    },
  ],
  [
    'a comment without a verdict',
    'pending',
    ({ query }) => {
      at(at(query, 0).comments, 0).status = 'pending';
    },
  ],
  [
    'a refused write that exists',
    'refused but present',
    ({ posts }) => {
      at(posts, 1).title = 'too long';
    },
  ],
  [
    'an item that was never written',
    'never written',
    ({ comments }) => comments.push({ ...at(comments, 0), id: 'c4', content: 'forged', seq: 4 }),
  ],
  [
    'two services with two statuses',
    'services disagree',
    ({ query }) => {
      at(at(query, 1).comments, 0).status = 'rejected';
    },
  ],
  ['a post that only query has', 'services disagree', ({ posts }) => posts.pop()],
  [
    'a gap in the log',
    'log',
    ({ log }) => {
      at(log, -1).position += 1;
    },
  ],
  [
    'a log whose checksums do not fit',
    'log',
    ({ verdict }) => {
      verdict.ok = false;
    },
  ],
  [
    'an event that changed after it was read',
    'log',
    ({ log }) => {
      at(log, 2).data.content = 'changed';
    },
  ],
  [
    'posts in the log in another order than their owner’s',
    'order',
    ({ posts }) => {
      posts.reverse();
    },
  ],
  [
    'verdicts in another order than their comments',
    'order',
    ({ log }) => {
      [log[5], log[6]] = [at(log, 6), at(log, 5)];
    },
  ],
  [
    'query in another order than the log',
    'order',
    ({ query }) => {
      query.reverse();
    },
  ],
  [
    'a wrong number of comments',
    'count',
    ({ query }) => {
      at(query, 0).commentCount = 2;
    },
  ],
  [
    'comments in another order than the log gives',
    'not rebuilt',
    ({ query }) => {
      at(query, 1).comments.reverse();
    },
  ],
  [
    'a subscriber that is behind',
    'lag',
    ({ subscriptions }) => {
      at(subscriptions, 0).lag = 1;
    },
  ],
  [
    'a diverged subscriber',
    'lag',
    ({ subscriptions }) => {
      at(subscriptions, 0).state = 'diverged';
    },
  ],
  ['a dead letter', 'dead letter', ({ deadLetters }) => deadLetters.push({ id: '1' })],
];

test('an item missing in several places is one loss, reported with the places', () => {
  const snapshot = rightSnapshot();
  snapshot.comments.pop();
  at(snapshot.query, 1).comments.pop();
  const lost = check(written(), snapshot).find(({ kind }) => kind === 'lost');
  expect(lost).toMatchObject({ count: 1, at: { owner: 1, query: 1 } });
  expect(lost?.examples).toEqual(['comment "fine, too", at owner, at query']);
});

test.each(planted)('%s is found: %s', (_, kind, plant) => {
  const snapshot = rightSnapshot();
  const writes = written();
  plant(snapshot, writes);
  expect(kinds(writes, snapshot)).toContain(kind);
});
