// The page survives any answer, from our parts or foreign ones: each value that it reads is malformed once.
import { expect, jest, test } from '@jest/globals';
import { act, cleanup, render, screen } from '@testing-library/react';
import { App } from '../src/app.tsx';
import { aComment, aMessage, aPost, FakeEventSource } from './fake-blog.ts';
import { aLetter, anEntry, aSubscription } from './fake-system.ts';
import { blog, media, system } from './page.tsx';

const ODD = [undefined, null, 7, 'text', [], {}, [null], { id: {} }];

/**
 * Yields copies of the value, each with one of its parts replaced by one of the odd values. Of a list the first element is taken
 * apart: the others are read alike, and replaced as a whole.
 */
function* outOfShape(value: unknown): Generator<unknown> {
  yield* ODD;
  if (typeof value !== 'object' || value === null) return;
  for (const [key, part] of Object.entries(value)) {
    for (const odd of Array.isArray(value) && key !== '0' ? ODD : outOfShape(part)) {
      yield Array.isArray(value) ? value.with(Number(key), odd) : { ...value, [key]: odd };
    }
  }
}

const about = { subject: 'c1', data: { id: 'c1', postId: 'post-1', content: 'Hello', status: 'approved' } };
const events = [
  anEntry(1, { type: 'CommentCreated', source: 'comments', traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` }),
  anEntry(2, { type: 'CommentModerated', source: 'moderation' }),
  anEntry(3, { type: 'CommentUpdated', source: 'comments' }),
].map((entry) => ({ ...entry, ...about }));
const [first] = events;
const post = { ...aPost(1, { commentCount: 1 }), comments: [aComment(1)] };

const ANSWERS: Record<string, unknown> = {
  '/posts': { [post.id]: post },
  '/posts/post-1': post,
  subscriptions: [
    aSubscription('query-1', {
      service: 'query',
      ...{ position: 1, lag: 2, lagSeconds: 3, state: 'retrying', replay: { id: 'r', from: 1 } },
      ...{ lastError: 'answered 500', nextAttempt: '2026-01-02T03:04:05Z' },
    }),
    aSubscription('query-0', { service: 'query', state: 'gone' }),
  ],
  '/log': [first],
  '/log/1/deliveries': [{ subscription: 'query', deliveredAt: '2026-01-02T03:04:05Z', attempts: 2 }],
  '/dead-letters': [aLetter(1)],
  'event-bus': {
    ...{ status: 'ready', degraded: [] },
    quorum: {
      leader: 'event-bus-0',
      copies: ['event-bus-0'],
      nodes: [{ name: 'nats-0', leader: true, current: true, offline: false }],
    },
  },
  posts: { status: 'ready', degraded: ['The outbox waits.'] },
  client: { status: 'ready', degraded: [], control: true },
};
const MESSAGES = { '/stream': aMessage(aPost(1, { commentCount: 2 }), [aComment(2)], true), '/api': anEntry(9) };

const variants = Object.entries({ ...ANSWERS, ...MESSAGES }).map(([path, sound]) => ({
  path,
  odd: [...outOfShape(sound)],
}));
const most = Math.max(...variants.map(({ odd }) => odd.length));

async function openWith(answers: Map<string, unknown>) {
  blog.onGet = (path) => ({ body: answers.get(path), headers: { 'stream-position': 'db-1' } });
  for (const name of ['subscriptions', 'posts', 'client', 'event-bus'])
    system.raw.set(name, `${JSON.stringify(answers.get(name))}`);
  system.onAsk = (_method, path, query) => {
    if (!answers.has(path)) return undefined;
    const isOfComment = path === '/log' && query.has('subject');
    return { body: isOfComment ? events : answers.get(path), headers: { 'event-head': system.checkpoint(3) } };
  };
  history.replaceState(null, '', '/system?event=1&comment=c1');
  FakeEventSource.opened = [];
  await act(async () => void render(<App />));
  await act(() => jest.advanceTimersByTimeAsync(400));
  for (const source of FakeEventSource.opened) {
    const [, message] = [...answers].find(([path]) => path in MESSAGES && source.url.startsWith(path)) ?? [];
    act(() => source.send('db-2', message as object));
  }
  await act(() => jest.advanceTimersByTimeAsync(1_200));
}

test('a malformed value in any answer leaves neither the blog nor the System page blank', async () => {
  jest.useFakeTimers();
  jest.spyOn(console, 'error').mockImplementation(() => undefined);
  media.add('(width >= 75rem)');
  for (let turn = 0; turn < most; turn++) {
    const answers = new Map(variants.map(({ path, odd }) => [path, odd[turn % odd.length]]));
    await openWith(answers);
    const headings = screen.queryAllByRole('heading', { level: 2 }).map(({ textContent }) => textContent);
    const there = expect.arrayContaining(['Posts', 'System']);
    expect({ headings, answers: [...answers] }).toEqual({ headings: there, answers: [...answers] });
    expect({ errors: jest.mocked(console.error).mock.calls, answers: [...answers] }).toEqual({
      ...{ errors: [], answers: [...answers] },
    });
    cleanup();
  }
});
