// A post at its own address: all its comments, and the way to it and back.
import { beforeEach, describe, expect, jest, test } from '@jest/globals';
import { act, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { aComment, aMessage, aPost } from './fake-blog.ts';
import { article, blog, comment, later, openPage, post, send, titles } from './page.tsx';

async function openPost(id: string) {
  history.replaceState(null, '', `/p/${id}`);
  await openPage();
}
const heading = (name: string) => screen.findByRole('heading', { level: 2, name });
const follow = (name: string) => userEvent.click(screen.getByRole('link', { name }));

let scrollY = 0;
beforeEach(() => {
  scrollY = 0;
  Object.defineProperty(window, 'scrollY', { configurable: true, get: () => scrollY });
  window.scrollTo = ((place: ScrollToOptions) => {
    scrollY = place.top ?? 0;
  }) as typeof window.scrollTo;
});

describe('a post at its own address', () => {
  test('has its title and all its comments, more on demand, and is live', async () => {
    blog.pageSize = 2;
    const comments = [1, 2, 3, 4, 5].map((seq) => aComment(seq, 'pending'));
    blog.posts = [1, 2, 3].map((seq) => ({ post: aPost(seq), comments: [] }));
    blog.posts[0] = { post: aPost(1, { commentCount: 5 }), comments };
    await openPost('post-1');
    await heading('Title 1');
    expect(document.title).toBe('Title 1 · Blog');
    const count = () => article('Title 1').getAllByText('Awaiting moderation').length;
    expect(count()).toBe(2);
    await userEvent.click(screen.getByRole('button', { name: 'Show more comments (3)' }));
    await waitFor(() => expect(count()).toBe(4));
    await waitFor(() => expect(document.activeElement).toBe(document.querySelectorAll('.comment')[2]));
    await userEvent.click(screen.getByRole('button', { name: 'Show more comments (1)' }));
    await waitFor(() => expect(count()).toBe(5));
    send('db-2', aMessage(aPost(1, { commentCount: 5 }), [aComment(5)]));
    expect((await screen.findByText('Text 5')).closest('li')?.dataset.news).toBe('true');
    await comment('Title 1', 'Mine');
    await screen.findByText('Mine');
  });

  test('that does not exist is said to be missing, and shown once it arrives', async () => {
    await openPost('post-1');
    expect((await screen.findByRole('alert')).textContent).toMatch(/No post has this address/);
    send('db-2', aMessage(aPost(1)));
    await heading('Title 1');
    expect(screen.queryByRole('alert')).toBeNull();
  });

  test('that was waited for stays, however many others arrive', async () => {
    blog.posts = [{ post: aPost(1), comments: [] }];
    await openPost('post-2');
    await screen.findByRole('alert');
    send('db-2', aMessage(aPost(2)));
    await heading('Title 2');
    send('db-3', ...Array.from({ length: 150 }, (_, index) => aMessage(aPost(index + 3))));
    await follow('All posts');
    await screen.findByRole('button', { name: 'More than 100 new posts' });
    expect(titles()).toEqual(['Title 2', 'Title 1']);
  });

  test('is asked for until it can be read', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0);
    blog.posts = [{ post: aPost(1), comments: [] }];
    blog.pageSize = 0;
    let isAway = true;
    blog.onGet = (path) => (path !== '/posts' && isAway ? { status: 503 } : undefined);
    await openPost('post-1');
    expect((await screen.findByRole('alert')).textContent).toMatch(/cannot be loaded at the moment/);
    isAway = false;
    await heading('Title 1');
  });

  test('gets the comment that was being sent before a reload, also while it cannot be read', async () => {
    const texts = { content: 'Mine' };
    sessionStorage.setItem(
      'blog.draft.comment.post-1',
      JSON.stringify({ texts, key: 'k', keyOf: texts, sending: true }),
    );
    blog.onGet = (path) => (path === '/posts' ? undefined : { status: 503 });
    await openPost('post-1');
    await waitFor(() => expect(blog.sent).toMatchObject([{ path: '/posts/post-1/comments', key: 'k', body: texts }]));
  });

  test('has no gap in its comments if the list began anew while more of them were read', async () => {
    blog.pageSize = 2;
    blog.posts = [{ post: aPost(1, { commentCount: 5 }), comments: [1, 2, 3, 4, 5].map((seq) => aComment(seq)) }];
    await openPost('post-1');
    await screen.findByText('Text 2');
    const more = later<undefined>();
    blog.onGet = () => more.promise;
    await userEvent.click(screen.getByRole('button', { name: 'Show more comments (3)' }));
    blog.onGet = () => undefined;
    for (let seq = 2; seq < 105; seq++) blog.posts.push({ post: aPost(seq), comments: [] });
    send('db-2', ...blog.posts.slice(1).map(({ post }) => aMessage(post)));
    await follow('All posts');
    await userEvent.click(await screen.findByRole('button', { name: 'More than 100 new posts' }));
    await screen.findByText('Title 104');
    await act(async () => more.resolve(undefined));
    act(() => history.back());
    await screen.findByText('Text 2');
    expect(screen.queryByText('Text 3')).toBeNull();
  });

  test('that was just written is shown while it is on its way', async () => {
    blog.onPost = () => ({ status: 201, body: { id: 'mine', createdAt: null } });
    await openPage();
    await post('Mine');
    await userEvent.click(await screen.findByRole('link', { name: 'Mine' }));
    await heading('Mine');
    expect(screen.getByText('Stored, on its way…')).toBeTruthy();
    send('db-2', aMessage(aPost(2, { id: 'mine', title: 'Mine' })));
    await waitFor(() => expect(screen.queryByText('Stored, on its way…')).toBeNull());
    await heading('Mine');
  });

  test('may have an id of any characters', async () => {
    blog.posts = [{ post: aPost(1, { id: '50%/ä' }), comments: [] }];
    await openPage();
    await screen.findByText('Title 1');
    await follow('Title 1');
    await heading('Title 1');
    expect(location.pathname).toBe('/p/50%25%2F%C3%A4');
  });
});

test('a link moves focus and title; back and forward keep what was loaded', async () => {
  blog.pageSize = 2;
  blog.posts = [1, 2, 3].map((seq) => ({ post: aPost(seq), comments: [] }));
  await openPage();
  await userEvent.click(await screen.findByRole('button', { name: 'Show older posts' }));
  await screen.findByText('Title 1');
  scrollY = 700;
  await follow('Title 1');
  await waitFor(() => expect(document.activeElement?.textContent).toBe('Title 1'));
  expect([location.pathname, document.title, scrollY]).toEqual(['/p/post-1', 'Title 1 · Blog', 0]);
  act(() => history.back());
  await heading('Posts');
  expect(titles()).toEqual(['Title 3', 'Title 2', 'Title 1']);
  expect(document.title).toBe('Blog');
  act(() => history.forward());
  await heading('Title 1');
});

test('a verdict that has just arrived is marked, one that was read is not', async () => {
  blog.posts = [{ post: aPost(1, { commentCount: 2 }), comments: [aComment(1), aComment(2, 'pending')] }];
  blog.onPost = () => ({ status: 201, body: { id: 'comment-3' } });
  await openPage();
  await screen.findByText('Text 1');
  send('db-2', aMessage(aPost(1, { commentCount: 2 }), [aComment(2, 'rejected')]));
  await screen.findByText('This comment was rejected.');
  await comment('Title 1', 'Text 3');
  await screen.findByText('Stored, on its way…');
  send('db-3', aMessage(aPost(1, { commentCount: 3 }), [aComment(3)]));
  await waitFor(() => expect(screen.queryByText('Stored, on its way…')).toBeNull());
  const news = [...document.querySelectorAll<HTMLElement>('.comment')].map(({ dataset }) => dataset.news);
  expect(news).toEqual(['false', 'true', 'true']);
});

test('times are relative and tick; the exact one is on hover; those of a wrong clock are exact', async () => {
  jest.useFakeTimers({ now: Date.parse('2026-01-02T03:06:10Z'), doNotFake: ['queueMicrotask', 'nextTick'] });
  const times = [
    '2026-01-02T03:06:05Z',
    '2026-01-02T01:00:00Z',
    '2025-12-30T03:00:00Z',
    '2026-01-02T05:00:00Z',
    'soon',
  ];
  blog.posts = times.map((createdAt, seq) => ({ post: aPost(9 - seq, { createdAt }), comments: [] }));
  await openPage();
  await act(() => jest.advanceTimersByTimeAsync(400));
  const texts = () => [...document.querySelectorAll('time')].map(({ textContent }) => textContent);
  expect(texts()).toEqual(['just now', '2 hours ago', '3 days ago', 'Jan 2, 2026, 5:00 AM']);
  expect(document.querySelector('time')?.title).toBe('Jan 2, 2026, 3:06 AM');
  await act(() => jest.advanceTimersByTimeAsync(60_000));
  expect(texts()[0]).toBe('1 minute ago');
});
