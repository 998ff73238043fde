// Submissions: each ends up stored once, or its writer is told why not.

import { parseTraceparent } from '@blog/common/core/events.ts';
import { beforeEach, describe, expect, jest, test } from '@jest/globals';
import { act, cleanup, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { StrictMode } from 'react';
import { App } from '../src/app.tsx';
import { aPost } from './fake-blog.ts';
import { article, blog, comment, later, openPage, post, spoken, titles } from './page.tsx';

const field = () => screen.getByLabelText<HTMLInputElement>('Title');
const press = (button: string) => userEvent.click(screen.getByRole('button', { name: button }));
const keys = () => blog.sent.map(({ key }) => key);
const created = { status: 201, body: { id: 'mine', createdAt: null } };
/** Answers that keep the page waiting for the whole test. */
const later503 = { status: 503, headers: { 'retry-after': '60' } };

const noAnswer = () => Promise.reject(new Error('refused'));

beforeEach(() => {
  jest.spyOn(Math, 'random').mockReturnValue(0);
  blog.posts = [{ post: aPost(1), comments: [] }];
});

describe('what was not answered, or with a 5xx or 429', () => {
  test.each([
    ['no answer', noAnswer, /The blog does not answer\. Sending again…/],
    ['a login page', () => ({ body: '<!DOCTYPE html><title>Log in' }), /The blog does not answer\. Sending again…/],
    ['a 500', () => ({ status: 500 }), /cannot store it at the moment\. Sending again…/],
    ['a 503', () => ({ status: 503 }), /cannot store it at the moment\. Sending again…/],
    ['a 507', () => ({ status: 507 }), /cannot store it at the moment\. Sending again…/],
    ['a 429', () => ({ status: 429 }), /Too many requests at once\. Sending again in a moment…/],
  ])('%s: the page retries with the same key, and tells the reader', async (_, fail, text) => {
    const answers = [fail, fail, fail];
    const hold = later<void>();
    blog.onPost = async () => {
      if (blog.sent.length === 3) await hold.promise;
      return (answers.shift() ?? (() => created))();
    };
    await openPage();
    await post('Mine');
    const note = await screen.findByText(text, { selector: '.waits' });
    expect(field().getAttribute('aria-describedby')).toContain(note.id);
    expect(screen.queryByRole('alert')).toBeNull();
    hold.resolve();
    await screen.findByText('Stored, on its way…');
    expect(titles()).toEqual(['Mine', 'Title 1']);
    expect(field().value).toBe('');
    expect(screen.queryByText(text, { selector: '.waits' })).toBeNull();
    expect(blog.sent.map(({ body }) => body?.title)).toEqual(['Mine', 'Mine', 'Mine', 'Mine']);
    expect(keys()[0]).toMatch(/^[0-9a-f]{32}$/);
    expect(new Set(keys()).size).toBe(1);
  });

  test('each write begins a trace, which its retries continue', async () => {
    const answers = [{ status: 503 }, created, created];
    blog.onPost = () => answers.shift() ?? created;
    await openPage();
    await post('One');
    await waitFor(() => expect(blog.sent.length).toBe(2));
    await post('Two');
    await waitFor(() => expect(blog.sent.length).toBe(3));
    const [first, again, other] = blog.sent.map(({ traceparent }) => traceparent);
    expect(parseTraceparent(first)).toBe(first);
    expect(again).toBe(first);
    expect(parseTraceparent(other)).toBe(other);
    expect(other?.slice(3, 35)).not.toBe(first?.slice(3, 35));
  });

  test('a retry is announced once, however often it is repeated', async () => {
    blog.onPost = () => (blog.sent.length < 6 ? { status: 503 } : created);
    await openPage();
    await post('Mine');
    await screen.findByText('Stored, on its way…');
    expect(spoken()).toBe('The blog cannot store it at the moment. Sending again…Your post is on its way.');
  });

  test('a comment on a post that the comments service does not know yet is stored as soon as it does', async () => {
    blog.onPost = () => (blog.sent.length < 3 ? { status: 503 } : created);
    await openPage();
    await screen.findByText('Title 1');
    await comment('Title 1', 'Hello');
    await article('Title 1').findByText('Stored, on its way…');
    expect(article('Title 1').getByLabelText<HTMLTextAreaElement>('Your comment').value).toBe('');
    expect(blog.sent.map(({ path, key }) => [path, key])).toEqual(Array(3).fill(['/posts/post-1/comments', keys()[0]]));
  });

  test('the button retries at once, even during a long Retry-After', async () => {
    blog.onPost = () => (blog.sent.length === 1 ? later503 : created);
    await openPage();
    await post('Mine');
    await userEvent.click(await screen.findByRole('button', { name: 'Try now' }));
    await screen.findByText('Stored, on its way…');
    expect(keys()).toEqual([keys()[0], keys()[0]]);
  });

  test.each([
    ['changed', '!', 'Mine!'],
    ['cleared', '{Backspace>4}', ''],
  ])('a text that is %s is not sent again', async (_, typed, left) => {
    const answer = later<typeof created>();
    blog.onPost = () => (blog.sent.length === 1 ? { status: 503 } : answer.promise);
    await openPage();
    await post('Mine');
    await waitFor(() => expect(blog.sent).toHaveLength(2));
    await userEvent.type(field(), typed);
    expect(field().value).toBe(left);
    expect(screen.getByText(/Sending was cancelled. If the blog has stored it already, it will appear/)).toBeTruthy();
    expect(screen.getByRole('button', { name: 'Post' })).toBeTruthy();
    answer.resolve(later503 as never);
    cleanup();
    await openPage();
    expect(field().value).toBe(left);
    expect(blog.sent).toHaveLength(2);
  });

  test('a changed text is another submission, the same text is not', async () => {
    blog.onPost = () => later503;
    await openPage();
    await post('Mine');
    await screen.findByRole('button', { name: 'Try now' });
    await userEvent.type(field(), ' {Backspace}');
    await press('Post');
    await screen.findByRole('button', { name: 'Try now' });
    await userEvent.type(field(), '!');
    await press('Post');
    await waitFor(() => expect(blog.sent.map(({ body }) => body?.title)).toEqual(['Mine', 'Mine', 'Mine!']));
    const [first, again, other] = keys();
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });

  test('a changed text stays when the old request is acknowledged after all', async () => {
    const answer = later<typeof created>();
    blog.onPost = () => (blog.sent.length === 1 ? { status: 503 } : answer.promise);
    await openPage();
    await post('Mine');
    await waitFor(() => expect(blog.sent).toHaveLength(2));
    await userEvent.type(field(), ' and more');
    await act(async () => answer.resolve(created));
    expect(field().value).toBe('Mine and more');
  });

  test.each([
    ['in strict mode', <StrictMode key="">{<App />}</StrictMode>],
    ['as built', <App key="" />],
  ])('a reload does not end the retry: it continues with the same key, one request at a time (%s)', async (_, page) => {
    const answer = later<typeof created>();
    blog.onPost = () => (blog.sent.length === 1 ? later503 : answer.promise);
    await openPage();
    await post('Mine');
    await screen.findByRole('button', { name: 'Try now' });
    cleanup();
    await openPage(page);
    expect(field().value).toBe('Mine');
    await screen.findByRole('button', { name: 'Sending…' });
    await waitFor(() => expect(blog.sent).toHaveLength(2));
    await act(async () => answer.resolve(created));
    await screen.findByText('Stored, on its way…');
    expect(field().value).toBe('');
    expect(keys()).toEqual([keys()[0], keys()[0]]);
    expect(spoken()).toBe('Your post is on its way.');
  });

  test('a comment is retried after a reload that does not show its post; once the post is shown, its form shows that', async () => {
    blog.pageSize = 1;
    blog.posts.push({ post: aPost(2), comments: [] });
    blog.onPost = () => (blog.sent.length < 3 ? later503 : created);
    await openPage();
    await userEvent.click(await screen.findByRole('button', { name: 'Show older posts' }));
    await screen.findByText('Title 1');
    // The new content gets the focus, so text typed before that is lost.
    await waitFor(() => expect(document.activeElement?.textContent).toBe('Title 1'));
    await comment('Title 1', 'Hello');
    await article('Title 1').findByRole('button', { name: 'Try now' });
    cleanup();
    await openPage(
      <StrictMode>
        <App />
      </StrictMode>,
    );
    await waitFor(() => expect(blog.sent).toHaveLength(2));
    expect(titles()).toEqual(['Title 2']);
    await userEvent.click(screen.getByRole('button', { name: 'Show older posts' }));
    await userEvent.click(await article('Title 1').findByRole('button', { name: 'Try now' }));
    await article('Title 1').findByText('Stored, on its way…');
    const once = ['/posts/post-1/comments', 'Hello', keys()[0]];
    expect(blog.sent.map(({ path, body, key }) => [path, body?.content, key])).toEqual([once, once, once]);
  });

  test('a tab that is duplicated while it sends has the same key, so both together store it once', async () => {
    blog.onPost = () => later503;
    await openPage();
    await post('Mine');
    await screen.findByRole('button', { name: 'Try now' });
    // The other tab begins with a copy of this one's session storage.
    await openPage();
    await waitFor(() => expect(blog.sent).toHaveLength(2));
    expect(keys()).toEqual([keys()[0], keys()[0]]);
  });

  test('a draft that was not sent is not sent by a reload', async () => {
    await openPage();
    await userEvent.type(field(), 'Half a th');
    cleanup();
    await openPage(
      <StrictMode>
        <App />
      </StrictMode>,
    );
    expect(field().value).toBe('Half a th');
    await screen.findByText('Title 1');
    expect(blog.sent).toEqual([]);
  });

  test('a closed page sends nothing more', async () => {
    const answer = later<{ status: number }>();
    blog.onPost = () => answer.promise;
    await openPage();
    await post('Mine');
    await screen.findByRole('button', { name: 'Sending…' });
    cleanup();
    jest.useFakeTimers();
    await act(async () => answer.resolve({ status: 503 }));
    await jest.advanceTimersByTimeAsync(60_000);
    expect(blog.sent).toHaveLength(1);
  });

  test('it is retried although the browser reports being offline, because the blog may be on the same machine', async () => {
    jest.spyOn(navigator, 'onLine', 'get').mockReturnValue(false);
    blog.onPost = () => (blog.sent.length === 1 ? noAnswer() : created);
    await openPage();
    await post('Mine');
    await screen.findByText('Stored, on its way…');
    expect(keys()).toEqual([keys()[0], keys()[0]]);
  });
});

describe('a refusal', () => {
  test.each([
    [400, { errors: [{ field: 'title', detail: 'must be nicer' }] }, 'The title must be nicer.'],
    [
      422,
      { detail: [{ loc: ['body', 'title'], msg: 'too short' }] },
      'The blog did not accept it. What you typed is still here.',
    ],
    [404, { detail: 'None has come here.', errors: [{ field: 'id', detail: 'must be an id' }] }, 'None has come here.'],
    [413, { detail: 'The body is over the limit of 65536 bytes.' }, 'The body is over the limit of 65536 bytes.'],
    [422, { detail: 'That cannot be.' }, 'That cannot be.'],
    [403, '<html>', 'The blog did not accept it. What you typed is still here.'],
  ])('(%d) ends the submission, keeps the text and is shown beside the field', async (status, body, text) => {
    blog.onPost = () => (blog.sent.length < 3 ? { status: 503 } : { status, body });
    await openPage();
    await post('Mine');
    const error = await screen.findByRole('alert');
    expect(error.textContent).toBe(text);
    expect(field().getAttribute('aria-describedby')).toContain(error.id);
    expect(field().value).toBe('Mine');
    expect(document.querySelector('.waits')).toBeNull();
    cleanup();
    await openPage();
    expect(field().value).toBe('Mine');
    expect(blog.sent).toHaveLength(3);
  });

  test('uses up no key: the same text is sent again with it, another text with another one', async () => {
    blog.onPost = () => ({ status: 400 });
    await openPage();
    await post('Mine');
    await screen.findByRole('alert');
    await press('Post');
    await screen.findByRole('alert');
    await userEvent.type(field(), '!');
    await press('Post');
    await waitFor(() => expect(blog.sent).toHaveLength(3));
    const [first, again, other] = keys();
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });
});

test('a slow request is reported as waiting, and its text may be changed meanwhile', async () => {
  const answer = later<typeof created>();
  blog.onPost = () => answer.promise;
  await openPage();
  await post('Mine');
  const text = 'The blog has not answered yet. Waiting for it…';
  await screen.findByText(new RegExp(text), { selector: '.waits' });
  expect(spoken()).toBe(text);
  expect([field().readOnly, field().value]).toEqual([false, 'Mine']);
  answer.resolve(created);
  await screen.findByText('Stored, on its way…');
  expect(document.querySelector('.waits')).toBeNull();
  expect(blog.sent).toHaveLength(1);
});

test('however fast the button is pressed, one request goes', async () => {
  const answer = later<typeof created>();
  blog.onPost = () => answer.promise;
  await openPage();
  await userEvent.type(field(), 'Mine');
  const button = screen.getByRole('button', { name: 'Post' });
  act(() => {
    for (let n = 0; n < 3; n++) button.click();
  });
  await press('Sending…');
  await userEvent.type(field(), '{Enter}');
  expect(blog.sent).toHaveLength(1);
  await act(async () => answer.resolve(created));
  await screen.findByText('Stored, on its way…');
  expect(blog.sent).toHaveLength(1);
});
