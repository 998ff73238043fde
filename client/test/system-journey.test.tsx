// A comment's journey on the System page.
import { describe, expect, test } from '@jest/globals';
import { act, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import type { LogEntry } from '../src/system/bus.ts';
import { aComment, aMessage, aPost, FakeEventSource } from './fake-blog.ts';
import { anEntry, aSubscription } from './fake-system.ts';
import { article, blog, comment, media, openPage, openSystem, spoken, system } from './page.tsx';

const START = Date.parse('2026-01-02T03:04:05.000Z');
const time = (ms: number) => new Date(START + ms).toISOString();

/** An event about a comment, made and recorded this many milliseconds after the start. */
function about(position: number, type: string, made: number, logged: number, more: Partial<LogEntry> = {}): LogEntry {
  const source = type === 'CommentModerated' ? 'moderation' : 'comments';
  const status = type === 'CommentCreated' ? 'pending' : 'approved';
  const data = { id: 'c', postId: 'p', content: 'Hello', status };
  return anEntry(position, { type, subject: 'c', source, time: time(made), recordedtime: time(logged), data, ...more });
}
const created = about(1, 'CommentCreated', 0, 4);
const moderated = about(2, 'CommentModerated', 10, 13);
const updated = about(3, 'CommentUpdated', 17, 2_020);
const delivered = (position: number, subscription: string, ms: number, attempts = 1) =>
  system.deliveries.set(position, [
    ...(system.deliveries.get(position) ?? []),
    { subscription, deliveredAt: time(ms), attempts },
  ]);
/** Puts all subscribers at the end of the log, except these. */
const catchUp = (...others: ReturnType<typeof aSubscription>[]) => {
  const usual = ['posts', 'comments', 'query', 'moderation'].map((name) =>
    aSubscription(name, { position: system.log.length }),
  );
  system.subscriptions = usual.map((one) => others.find(({ name }) => name === one.name) ?? one);
};

const journey = () => within(screen.getByRole('region', { name: 'Journey of a comment' }));
const steps = () =>
  [...(journey().getAllByRole('list')[0]?.children ?? [])].map((step) => step.querySelector('p')?.textContent);
const blogStream = () => FakeEventSource.opened.findLast(({ url, closed }) => url.startsWith('/stream') && !closed);
const publish = (...entries: LogEntry[]) => act(() => system.publish(...entries));

describe('a journey', () => {
  test('shows its steps in order, with their parts, the time between them, and the deliveries of each event', async () => {
    system.log = [created, moderated, updated];
    catchUp();
    delivered(1, 'moderation', 12, 3);
    delivered(3, 'query', 2_024);
    await openSystem('/system?comment=c');
    await waitFor(() => expect(steps()).toHaveLength(7));
    const texts = [
      /^Stored, with its event in the outboxcomments/,
      /^CommentCreated in the log at 1 from the outbox of commentsevent-bus\+ 4 ms/,
      /^Judged: approvedmoderation\+ 6 ms/,
      /^CommentModerated in the log at 2 from the outbox of moderationevent-bus\+ 3 ms/,
      /^The verdict stands: approvedcomments\+ 4 ms/,
      /^CommentUpdated in the log at 3 from the outbox of commentsevent-bus\+ 2.00 s/,
      /^In the read modelquery\+ 4 ms/,
    ];
    await waitFor(() => expect(steps()[6]).toMatch(/4 ms/));
    for (const [index, text] of texts.entries()) expect(steps()[index]).toMatch(text);
    expect(journey().getByText('2.02 s in total.')).toBeTruthy();
    expect(journey().getByText(/moderation has it/).textContent).toBe('moderation has it + 8 ms at attempt 3');
    expect(journey().getByText('Hello')).toBeTruthy();
    await userEvent.click(journey().getByRole('link', { name: '2' }));
    expect(location.search).toBe('?comment=c&event=2');
  });

  test('from this page tells when it was sent and answered, and when the page showed the verdict', async () => {
    media.add('(width >= 75rem)');
    blog.posts = [{ post: aPost(1), comments: [] }];
    blog.onPost = () => ({ status: 201, body: { id: 'mine', createdAt: time(0) } });
    await openSystem();
    await screen.findByText('Title 1');
    await comment('Title 1', 'Hello');
    await userEvent.click(await article('Title 1').findByRole('link', { name: 'Journey' }));
    await waitFor(() => expect(steps()[0]).toMatch(/^Sent from this pageclient/));
    expect(journey().getByText(/this page got the answer/)).toBeTruthy();
    expect(journey().getByText(/is stored in the outbox of comments/)).toBeTruthy();
    publish(...[created, moderated, updated].map((entry) => ({ ...entry, subject: 'mine' })));
    catchUp();
    act(() =>
      blogStream()?.send('db-2', aMessage(aPost(1, { commentCount: 1 }), [aComment(1, 'approved', { id: 'mine' })])),
    );
    await waitFor(() => expect(steps()).toHaveLength(9));
    expect(steps().at(-1)).toMatch(/^Shown on this pageclient/);
  });

  test("that is not over names the missing step and that part's lag, until it is there", async () => {
    system.log = [created];
    catchUp(aSubscription('moderation', { lag: 12, state: 'retrying', lastError: 'connect ECONNREFUSED' }));
    await openSystem('/system?comment=c');
    await screen.findByText(
      'moderation does not have it yet. Its lag is 12 events: it fails (connect ECONNREFUSED).',
      {},
    );
    expect(steps().at(-1)).toBe('Judgedmoderationnot yet');
    catchUp();
    expect(spoken()).not.toContain('verdict');
    await screen.findByText('moderation has it; its verdict is not in the log yet.');
    publish(moderated);
    catchUp(aSubscription('comments', { position: 1, lag: 1, state: 'paused' }));
    await screen.findByText(/^comments does not have it yet. Its lag is 1 event, and its subscription is paused/, {});
    publish(updated);
    catchUp();
    delivered(3, 'query', 2_030);
    await screen.findByText('2.03 s in total.');
    expect(spoken()).toContain('The comment has its verdict, after 2.03 s.');
  });

  test('of an unknown comment says so, and begins when it comes', async () => {
    await openSystem('/system?comment=c');
    await screen.findByText(/The log has no event about this comment/);
    publish(created);
    await waitFor(() => expect(steps()[0]).toMatch(/^Stored/));
  });

  test('keeps its content while the bus is away, reports it, and continues by itself', async () => {
    system.log = [created];
    catchUp();
    await openSystem('/system?comment=c');
    await waitFor(() => expect(steps()).toHaveLength(3));
    act(() => system.stopBus());
    await journey().findByText(/The event bus does not answer at the moment/);
    expect(steps()).toHaveLength(3);
    await journey().findByText(/Nothing is delivered until it does/);
    system.startBus();
    system.log.push(moderated, updated);
    catchUp();
    await waitFor(() => expect(steps()).toHaveLength(7));
    expect(journey().queryByText(/cannot be asked/)).toBeNull();
  });

  test('invents no time for a delivery that the bus does not remember', async () => {
    system.log = [created, moderated, updated];
    catchUp();
    await openSystem('/system?comment=c');
    await waitFor(() => expect(steps().at(-1)).toBe('In the read modelquerytime unknown'));
    expect(journey().getAllByText('moderation is past it')).toHaveLength(3);
    expect(journey().getByText(/the bus remembers deliveries only in memory/)).toBeTruthy();
  });

  test('has the first verdict, and counts later events', async () => {
    const data = { id: 'c', postId: 'p', status: 'rejected' };
    const first = about(2, 'CommentModerated', 10, 13, { data, source: 'classic' });
    system.log = [created, first, about(3, 'CommentModerated', 11, 14, { id: 'again' })];
    catchUp();
    await openSystem('/system?comment=c');
    await waitFor(() => expect(steps()[2]).toMatch(/^Judged: rejectedclassic/));
    const words = 'The log has 1 event more about it. The first verdict in the log stands.';
    expect(journey().getByText(words)).toBeTruthy();
  });

  test('names the trace of the comment, if it has one', async () => {
    const trace = '0af7651916cd43dd8448eb211c80319c';
    system.log = [about(1, 'CommentCreated', 0, 4, { traceparent: `00-${trace}-b7ad6b7169203331-01` })];
    catchUp();
    await openSystem('/system?comment=c');
    expect((await screen.findByText(trace)).closest('p')?.textContent).toMatch(/look it up in the parts' log lines/);
    expect(screen.queryByRole('link', { name: 'Its log lines' })).toBeNull();
  });

  test('and each of its events link to the trace’s lines in the log store, where there is one', async () => {
    const trace = '0af7651916cd43dd8448eb211c80319c';
    system.logs = 'http://localhost:9428/';
    system.log = [about(1, 'CommentCreated', 0, 4, { traceparent: `00-${trace}-b7ad6b7169203331-01` })];
    catchUp();
    await openSystem('/system?comment=c&event=1');
    await waitFor(() => expect(screen.getAllByRole('link', { name: 'Its log lines' })).toHaveLength(2));
    for (const link of screen.getAllByRole<HTMLAnchorElement>('link', { name: 'Its log lines' })) {
      const { origin, pathname, hash } = new URL(link.href);
      expect([origin, pathname]).toEqual(['http://localhost:9428', '/select/vmui/']);
      expect(new URLSearchParams(hash.replace(/^#\/\?/, '')).get('query')).toBe(`traceId:=${trace}`);
    }
  });
});

test('every comment of the blog has a link to its journey, also one that is on its way', async () => {
  blog.posts = [{ post: aPost(1, { commentCount: 1 }), comments: [aComment(1, 'rejected', { id: 'a b' })] }];
  blog.onPost = () => ({ status: 201, body: { id: 'other' } });
  await openPage();
  await screen.findByText('Title 1');
  await comment('Title 1', 'Hello');
  const links = await waitFor(() => {
    const found = article('Title 1').getAllByRole('link', { name: 'Journey' });
    expect(found).toHaveLength(2);
    return found;
  });
  expect(links.map((link) => link.getAttribute('href'))).toEqual(['/system?comment=a+b', '/system?comment=other']);
});
