// The blog page: reading, live changes and sending.

import { beforeEach, describe, expect, jest, test } from '@jest/globals';
import { act, cleanup, render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { App } from '../src/app.tsx';
import { type Answer, aComment, aMessage, aPost, FakeEventSource } from './fake-blog.ts';
import { article, blog, comment, commentField, later, openPage, post, send, spoken, titles } from './page.tsx';

describe('reading', () => {
  test('posts are listed newest first, with their times and numbers of comments', async () => {
    blog.posts = [1, 2].map((seq) => ({ post: aPost(seq, { commentCount: 1 }), comments: [aComment(seq)] }));
    await openPage();
    await waitFor(() => expect(titles()).toEqual(['Title 2', 'Title 1']));
    expect(article('Title 1').getByText('1 comment')).toBeTruthy();
    expect(document.querySelector('time')?.dateTime).toBe('2026-01-02T03:04:05.000Z');
  });

  test('only an approved comment shows its text', async () => {
    const comments = [aComment(1, 'approved'), aComment(2, 'pending'), aComment(3, 'rejected')];
    blog.posts = [{ post: aPost(1, { commentCount: 3 }), comments }];
    await openPage();
    const items = await waitFor(() => article('Title 1').getAllByRole('listitem'));
    const texts = items.map((item) => item.querySelector('p')?.textContent);
    expect(texts).toEqual(['Text 1', 'Awaiting moderation', 'This comment was rejected.']);
  });

  test('a text is shown as text', async () => {
    blog.posts = [{ post: aPost(1, { title: '<img src=x onerror=alert(1)>' }), comments: [] }];
    await openPage();
    await waitFor(() => expect(titles()).toEqual(['<img src=x onerror=alert(1)>']));
    expect(document.querySelector('img')).toBeNull();
  });

  test('an empty blog says so, and one that cannot be read says so and keeps trying', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.2);
    blog.onGet = () => ({ status: 503 });
    render(<App />);
    await screen.findByText(/cannot be loaded at the moment/);
    blog.onGet = () => undefined;
    await screen.findByText(/No posts yet/);
  });

  test('older posts that come after the newest were asked for leave no gap', async () => {
    blog.pageSize = 2;
    const some = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ post: aPost(index + 1), comments: [] }));
    blog.posts = some(4);
    await openPage();
    const older = later<undefined>();
    blog.onGet = () => older.promise;
    await userEvent.click(await screen.findByRole('button', { name: 'Show older posts' }));
    blog.onGet = () => undefined;
    blog.posts = some(106);
    send('db-2', ...blog.posts.slice(4).map(({ post }) => aMessage(post)));
    await userEvent.click(await screen.findByRole('button', { name: 'More than 100 new posts' }));
    await waitFor(() => expect(titles()).toEqual(['Title 106', 'Title 105']));
    await act(async () => older.resolve(undefined));
    await userEvent.click(await screen.findByRole('button', { name: 'Show older posts' }));
    await waitFor(() => expect(titles()).toEqual([106, 105, 104, 103].map((seq) => `Title ${seq}`)));
  });

  test('older posts come on demand, with the focus, and are live too', async () => {
    blog.pageSize = 2;
    blog.posts = [1, 2, 3].map((seq) => ({ post: aPost(seq), comments: [] }));
    await openPage();
    await userEvent.click(await screen.findByRole('button', { name: 'Show older posts' }));
    await waitFor(() => expect(titles()).toEqual(['Title 3', 'Title 2', 'Title 1']));
    await waitFor(() => expect(document.activeElement?.textContent).toBe('Title 1'));
    expect(screen.queryByRole('button', { name: /Show/ })).toBeNull();
    send('db-2', aMessage(aPost(1, { commentCount: 1 }), [aComment(1)]));
    await screen.findByText('Text 1');
  });

  test('the list shows the newest comments of a post, and a form when it is asked for', async () => {
    const comments = [1, 2, 3, 4, 5].map((seq) => aComment(seq));
    blog.posts = [{ post: aPost(1, { commentCount: 5 }), comments }];
    await openPage();
    await screen.findByText('Text 3');
    expect(screen.queryByText('Text 2')).toBeNull();
    expect(screen.getByRole('link', { name: 'All 5 comments' }).getAttribute('href')).toBe('/p/post-1');
    expect(screen.queryByLabelText('Your comment')).toBeNull();
    await userEvent.click(screen.getByRole('button', { name: 'Write a comment' }));
    expect(document.activeElement).toBe(screen.getByLabelText('Your comment'));
    await userEvent.keyboard('half a');
    cleanup();
    await openPage();
    expect((await screen.findByLabelText<HTMLTextAreaElement>('Your comment')).value).toBe('half a');
  });
});

test('an HTML page instead of the list is retried', async () => {
  blog.onGet = () => ({ body: '<!doctype html><p>Sign in to the network' });
  render(<App />);
  await screen.findByText(/cannot be loaded at the moment/);
});

describe('a read model of the classic version', () => {
  test('has neither order nor stream, and is polled', async () => {
    const comments = [{ id: 'c', content: 'Hello', status: 'approved' }];
    let body: object = {
      one: { id: 'one', title: 'First', comments },
      two: { id: 'two', title: 'Second', comments: [] },
    };
    blog.onGet = () => ({ body });
    render(<App />);
    await waitFor(() => expect(titles()).toEqual(['Second', 'First']));
    expect(screen.getByText('Hello')).toBeTruthy();
    const state = await screen.findByText('Live');
    const states: (string | null)[] = [];
    new MutationObserver(() => states.push(state.textContent)).observe(state, {
      childList: true,
      characterData: true,
      subtree: true,
    });
    body = {
      ...body,
      two: { id: 'two', title: 'Second', comments: [{ id: 'd', content: 'Later', status: 'approved' }] },
    };
    await screen.findByText('Later');
    expect(FakeEventSource.opened).toEqual([]);
    expect(states).toEqual([]);
  });
});

test('without streams in the browser the page is read again and again', async () => {
  jest.spyOn(Math, 'random').mockReturnValue(0.1);
  Reflect.deleteProperty(globalThis, 'EventSource');
  globalThis.fetch = async () => ({ ok: true }) as Response;
  blog.posts = [{ post: aPost(1), comments: [] }];
  render(<App />);
  await waitFor(() => expect(titles()).toEqual(['Title 1']));
  blog.posts = [{ post: aPost(1, { commentCount: 1 }), comments: [aComment(1)] }];
  await screen.findByText('Text 1');
  expect(screen.getByText('Connection lost, reconnecting…')).toBeTruthy();
});

test('a read model that does not know the cursor, and one that asks for patience of weeks, are not asked without end', async () => {
  const asked: string[] = [];
  blog.posts = [{ post: aPost(1, { commentCount: 9 }), comments: [aComment(1)] }];
  blog.onPost = () => ({ status: 201, body: { id: 'comment-9' } });
  await openPage();
  await screen.findByText('Title 1');
  blog.onGet = (path): Answer => {
    asked.push(path);
    const { post, comments } = blog.posts[0] as (typeof blog.posts)[number];
    if (asked.length > 20) return { status: 404 };
    if (path !== '/posts') return { body: { ...post, comments }, headers: { link: '</next>; rel="next"' } };
    return { status: 503, headers: { 'retry-after': '3000000' } };
  };
  act(() => FakeEventSource.last.reset());
  await comment('Title 1', 'Text 9');
  await waitFor(() => expect(asked).toContain('/posts/post-1'));
  await screen.findByText('Connection lost, reconnecting…');
  const before = asked.length;
  await new Promise((done) => setTimeout(done, 300));
  expect(asked).toHaveLength(before);
  expect(before).toBeLessThan(10);
});

describe('answers of a foreign service to a write', () => {
  test.each([
    ['a list of all comments', [{ id: 'c0' }, { id: 'c1' }]],
    ['a message and the thing', { message: 'Created', post: { id: 'p' }, comment: { id: 'c' } }],
    ['nothing', ''],
    ['a text', 'OK'],
    ['null', null],
    ['an id that is none', { id: { $oid: '1' } }],
  ])('%s, but no id: it is sent and shown once, when it arrives and after a reload', async (_what, body) => {
    blog.posts = [{ post: aPost(1), comments: [] }];
    blog.onPost = () => ({ status: 201, body });
    await openPage();
    await screen.findByText('Title 1');
    await comment('Title 1', 'Only once');
    await post('Once, too');
    await waitFor(() => expect(screen.getByLabelText<HTMLInputElement>('Title').value).toBe(''));
    expect(blog.sent).toHaveLength(2);
    expect(screen.queryByText('Stored, on its way…')).toBeNull();

    const [mine, other] = [aComment(1, 'approved', { content: 'Only once' }), aPost(2, { title: 'Once, too' })];
    send('db-2', aMessage(aPost(1, { commentCount: 1 }), [mine]), aMessage(other));
    await userEvent.click(await screen.findByRole('button', { name: '1 new post' }));
    expect([screen.getAllByText('Only once').length, titles()]).toEqual([1, ['Once, too', 'Title 1']]);

    blog.posts = [
      { post: aPost(1, { commentCount: 1 }), comments: [mine] },
      { post: other, comments: [] },
    ];
    cleanup();
    await openPage();
    await waitFor(() => expect(titles()).toEqual(['Once, too', 'Title 1']));
    expect(screen.getAllByText('Only once')).toHaveLength(1);
    expect(screen.queryByText('Stored, on its way…')).toBeNull();
  });

  test('an id that is a number is that id', async () => {
    blog.onPost = () => ({ status: 201, body: { id: 7, title: 'Mine' } });
    await openPage();
    await post('Mine');
    await screen.findByText('Stored, on its way…');
    send('db-2', aMessage(aPost(1, { id: 7 as never, title: 'Mine' })));
    await waitFor(() => expect(screen.queryByText('Stored, on its way…')).toBeNull());
    expect(titles()).toEqual(['Mine']);
  });
});

describe('what arrives', () => {
  test('new posts of others wait behind a button; a draft and the focus stay', async () => {
    blog.posts = [{ post: aPost(1), comments: [] }];
    await openPage();
    await screen.findByText('Title 1');
    const field = await commentField('Title 1');
    await userEvent.type(field, 'half a thou');
    send('db-2', aMessage(aPost(2)), aMessage(aPost(3)), aMessage(aPost(4)));
    const button = await screen.findByRole('button', { name: '3 new posts' });
    expect(titles()).toEqual(['Title 1']);
    expect(document.activeElement).toBe(field);
    await userEvent.click(button);
    expect(titles()).toEqual(['Title 4', 'Title 3', 'Title 2', 'Title 1']);
    expect(article('Title 1').getByLabelText('Your comment')).toBe(field);
    expect(field.value).toBe('half a thou');
  });

  test('comments and verdicts of others change live and are not announced', async () => {
    blog.posts = [{ post: aPost(1), comments: [] }];
    await openPage();
    await screen.findByText('Title 1');
    send('db-2', aMessage(aPost(1, { commentCount: 1 }), [aComment(1, 'pending')]));
    await screen.findByText('Awaiting moderation');
    send('db-3', aMessage(aPost(1, { commentCount: 1 }), [aComment(1)]));
    await screen.findByText('Text 1');
    expect(screen.getByText('1 comment')).toBeTruthy();
    expect(spoken()).toBe('');
  });

  test('a comment and its verdict are shown at once, and what follows within 100 ms as one batch', async () => {
    blog.posts = [{ post: aPost(1), comments: [] }];
    await openPage();
    await screen.findByText('Title 1');
    send('db-2', aMessage(aPost(1, { commentCount: 1 }), [aComment(1, 'pending')]));
    expect(screen.getByText('Awaiting moderation')).toBeTruthy();
    send('db-3', aMessage(aPost(1, { commentCount: 1 }), [aComment(1)]));
    expect(screen.getByText('Text 1')).toBeTruthy();
    for (const seq of [2, 3]) send(`db-${seq + 2}`, aMessage(aPost(1, { commentCount: seq }), [aComment(seq)]));
    const count = screen.getByText('1 comment');
    const counts: (string | null)[] = [];
    new MutationObserver(() => counts.push(count.textContent)).observe(count, { characterData: true, subtree: true });
    await screen.findByText('3 comments');
    expect(counts).toEqual(['3 comments']);
  });

  test('many changes at once are applied as one batch', async () => {
    blog.posts = [{ post: aPost(1), comments: [] }];
    await openPage();
    await screen.findByText('Title 1');
    let renders = 0;
    const observer = new MutationObserver(() => {
      renders += 1;
    });
    observer.observe(document.body, { childList: true, subtree: true, characterData: true });
    for (let seq = 1; seq <= 50; seq++) send(`db-${seq}`, aMessage(aPost(1, { commentCount: seq }), [aComment(seq)]));
    await screen.findByText('All 50 comments');
    observer.disconnect();
    expect(renders).toBeLessThan(5);
  });

  test('a lost connection is announced, retried, and announced again when it is back', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.1);
    blog.posts = [{ post: aPost(1), comments: [] }];
    await openPage();
    await screen.findByText('Live');
    send('db-9', aMessage(aPost(1)));
    act(() => FakeEventSource.last.fail());
    expect(screen.getByText(/Connection lost, reconnecting/)).toBeTruthy();
    expect(spoken()).toMatch(/Connection lost/);
    await waitFor(() => expect(FakeEventSource.opened).toHaveLength(2));
    expect(FakeEventSource.last.url).toBe('/stream?after=db-9');
    act(() => FakeEventSource.last.open());
    expect(screen.getByText('Live')).toBeTruthy();
    expect(spoken()).toMatch(/Connected again/);
  });

  test('after a reset the list is read again and the stream resumes from it', async () => {
    blog.posts = [{ post: aPost(1, { commentCount: 1 }), comments: [aComment(1, 'pending')] }];
    await openPage();
    await screen.findByText('Awaiting moderation');
    blog.posts = [
      { post: aPost(1, { commentCount: 1 }), comments: [aComment(1)] },
      { post: aPost(2), comments: [] },
    ];
    act(() => FakeEventSource.last.reset());
    await screen.findByText('Text 1');
    await screen.findByRole('button', { name: '1 new post' });
    expect(FakeEventSource.opened).toHaveLength(2);
  });

  test('a message with `more` makes the page read the post again', async () => {
    blog.posts = [{ post: aPost(1), comments: [] }];
    await openPage();
    await screen.findByText('Title 1');
    blog.posts = [{ post: aPost(1, { commentCount: 2 }), comments: [aComment(1), aComment(2)] }];
    send('db-2', aMessage(aPost(1, { commentCount: 2 }), [aComment(2)], true));
    await screen.findByText('Text 1');
    expect(screen.getByText('Text 2')).toBeTruthy();
  });

  test('a post that is missing from the read model during a rebuild stays, and so do draft and focus', async () => {
    const both = [1, 2].map((seq) => ({ post: aPost(seq), comments: [] }));
    blog.posts = both;
    await openPage();
    await screen.findByText('Title 2');
    await userEvent.type(await commentField('Title 2'), 'half a');
    const asked: string[] = [];
    blog.onGet = (path) => void asked.push(path);
    blog.posts = both.slice(0, 1);
    act(() => FakeEventSource.last.reset());
    await waitFor(() => expect(asked).toContain('/posts/post-2'));
    send('db-2', aMessage(aPost(2, { commentCount: 1 }), [aComment(3, 'approved', { postId: 'post-2' })]));
    await screen.findByText('Text 3');
    expect(titles()).toEqual(['Title 2', 'Title 1']);
    expect(document.activeElement).toBe(article('Title 2').getByLabelText('Your comment'));
    expect(article('Title 2').getByLabelText<HTMLTextAreaElement>('Your comment').value).toBe('half a');
  });

  test('messages that arrive during a read are not lost', async () => {
    blog.pageSize = 2;
    const comments = [1, 2, 3, 4].map((seq) => aComment(seq, 'pending'));
    blog.posts = [{ post: aPost(1, { commentCount: 4 }), comments }];
    history.replaceState(null, '', '/p/post-1');
    await openPage();
    const button = await screen.findByRole('button', { name: 'Show more comments (2)' });
    const answer = later<undefined>();
    blog.onGet = () => answer.promise;
    await userEvent.click(button);
    send('db-2', aMessage(aPost(1, { title: 'Seen', commentCount: 4 }), [aComment(4)]));
    await screen.findByText('Seen');
    await act(async () => answer.resolve(undefined));
    await screen.findByText('Text 4');
  });
});

describe('sending', () => {
  beforeEach(() => {
    blog.posts = [{ post: aPost(1), comments: [] }];
  });

  test('a submission is shown at once, and is on its way from its 201 until it arrives', async () => {
    const answer = later<{ status: number; body: unknown }>();
    blog.onPost = () => answer.promise;
    await openPage();
    await post('  Mine  ');
    expect(screen.getByRole('button', { name: 'Sending…' })).toBeTruthy();
    await act(async () => answer.resolve({ status: 201, body: { id: 'mine', createdAt: null } }));
    expect(await screen.findByText('Stored, on its way…')).toBeTruthy();
    expect(titles()).toEqual(['Mine', 'Title 1']);
    expect(blog.sent[0]?.body).toEqual({ title: 'Mine' });
    send('db-2', aMessage(aPost(2, { id: 'mine', title: 'Mine' })));
    await waitFor(() => expect(screen.queryByText('Stored, on its way…')).toBeNull());
    expect(titles()).toEqual(['Mine', 'Title 1']);
    expect(spoken()).toMatch(/on its way.*published/);
  });

  test('a status does not go back when the answer comes after the stream', async () => {
    const answer = later<{ status: number; body: unknown }>();
    blog.onPost = () => answer.promise;
    await openPage();
    await screen.findByText('Title 1');
    await comment('Title 1', 'Text 1');
    send('db-2', aMessage(aPost(1, { commentCount: 1 }), [aComment(1, 'approved')]));
    await waitFor(() => expect(screen.getByText('1 comment')).toBeTruthy());
    await act(async () => answer.resolve({ status: 201, body: { id: 'comment-1', status: 'pending' } }));
    await waitFor(() => expect(spoken()).toMatch(/approved/));
    expect(screen.queryByText(/Stored, on its way|Awaiting/)).toBeNull();
    expect(article('Title 1').getAllByRole('listitem')).toHaveLength(1);
  });

  test('an own comment after unloaded ones is not lost when the stream is faster than the answer', async () => {
    blog.pageSize = 1;
    blog.posts = [{ post: aPost(1, { commentCount: 2 }), comments: [aComment(1), aComment(2)] }];
    const answer = later<{ status: number; body: unknown }>();
    blog.onPost = () => answer.promise;
    await openPage();
    await screen.findByText('Title 1');
    await comment('Title 1', 'Text 3');
    send('db-2', aMessage(aPost(1, { commentCount: 3 }), [aComment(3, 'pending')]));
    await screen.findByText('All 3 comments');
    await act(async () => answer.resolve({ status: 201, body: { id: 'comment-3' } }));
    await screen.findByText('Awaiting moderation');
    expect(screen.queryByText('Stored, on its way…')).toBeNull();
    expect(screen.getByRole('link', { name: 'All 3 comments' })).toBeTruthy();
  });

  test("the reader's own verdicts are announced", async () => {
    blog.onPost = () => ({ status: 201, body: { id: 'comment-1' } });
    await openPage();
    await screen.findByText('Title 1');
    await comment('Title 1', 'orange');
    send('db-2', aMessage(aPost(1, { commentCount: 1 }), [aComment(1, 'pending', { content: 'orange' })]));
    await screen.findByText('Awaiting moderation');
    send('db-3', aMessage(aPost(1, { commentCount: 1 }), [aComment(1, 'rejected', { content: 'orange' })]));
    await screen.findByText('This comment was rejected.');
    expect(screen.queryByText('orange')).toBeNull();
    expect(spoken()).toMatch(/on its way.*awaiting moderation.*rejected/);
  });

  test('items on their way are still shown after a reload, until the list has them', async () => {
    blog.onPost = () => ({ status: 201, body: { id: 'mine', createdAt: null } });
    await openPage();
    await post('Mine');
    await screen.findByText('Stored, on its way…');
    cleanup();
    await openPage();
    await screen.findByText('Stored, on its way…');
    expect(titles()).toEqual(['Mine', 'Title 1']);
    cleanup();
    blog.posts.push({ post: aPost(2, { id: 'mine', title: 'Mine' }), comments: [] });
    await openPage();
    await waitFor(() => expect(titles()).toEqual(['Mine', 'Title 1']));
    expect(screen.queryByText('Stored, on its way…')).toBeNull();
  });

  test('after a reload an own comment after unloaded ones is searched for, and shown after them', async () => {
    blog.pageSize = 2;
    blog.onPost = () => ({ status: 201, body: { id: 'comment-9' } });
    await openPage();
    await screen.findByText('Title 1');
    await comment('Title 1', 'Text 9');
    await screen.findByText('Stored, on its way…');
    cleanup();
    const comments = [1, 2, 3, 4, 9].map((seq) => aComment(seq));
    blog.posts = [{ post: aPost(1, { commentCount: 5 }), comments }];
    await openPage();
    await waitFor(() => expect(screen.queryByText('Stored, on its way…')).toBeNull());
    const items = article('Title 1').getAllByRole('listitem');
    expect(items.map((item) => item.querySelector('p')?.textContent)).toEqual(['Text 3', 'Text 4', 'Text 9']);
    expect(screen.getByRole('link', { name: 'All 5 comments' })).toBeTruthy();
  });

  test('the limits are shown, and a text over them is not sent', async () => {
    await openPage();
    expect(screen.getByText('Up to 200 characters')).toBeTruthy();
    await userEvent.click(screen.getByRole('button', { name: 'Post' }));
    expect(screen.getByRole('alert').textContent).toMatch(/empty/);
    await userEvent.click(screen.getByLabelText('Title'));
    await userEvent.paste('😀'.repeat(201));
    expect(screen.getByText('201 of 200 characters')).toBeTruthy();
    await userEvent.click(screen.getByRole('button', { name: 'Post' }));
    expect(screen.getByRole('alert').textContent).toMatch(/200 characters at most/);
    expect(blog.sent).toEqual([]);
  });
});
