// Browsers differ: missing storage, translated pages, errors while rendering.
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { act, cleanup, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { aComment, aMessage, aPost, FakeEventSource } from './fake-blog.ts';
import { blog, media, openPage, post, send, system, titles } from './page.tsx';
import '../src/shared/translation.ts';

const sound = Object.getOwnPropertyDescriptor(window, 'sessionStorage') as PropertyDescriptor;
afterEach(() => void Object.defineProperty(window, 'sessionStorage', sound));

const denied = () => {
  throw new DOMException('The operation is insecure.', 'SecurityError');
};
const full = () => {
  throw new DOMException('', 'QuotaExceededError');
};

describe('without storage', () => {
  test.each([
    ['site data is blocked', { get: denied }],
    ['there is none', { value: null }],
    ['it cannot be used', { value: { getItem: denied, setItem: denied, removeItem: denied } }],
    ['it is full', { value: { getItem: () => null, setItem: full, removeItem: () => undefined } }],
  ])('%s: a submission is shown and arrives once, and a draft outlives its form', async (_why, storage) => {
    Object.defineProperty(window, 'sessionStorage', { configurable: true, ...storage });
    blog.posts = [{ post: aPost(1), comments: [] }];
    blog.onPost = () => ({ status: 201, body: aPost(2) });
    await openPage();
    await screen.findByText('Title 1');
    await post('Title 2');
    await screen.findByText('Stored, on its way…');
    send('db-2', aMessage(aPost(2)));
    await waitFor(() => expect(screen.queryByText('Stored, on its way…')).toBeNull());
    expect(titles()).toEqual(['Title 2', 'Title 1']);

    await userEvent.type(screen.getByLabelText('Title'), 'half a thought');
    await userEvent.click(screen.getByRole('link', { name: 'System' }));
    expect(screen.queryByLabelText('Title')).toBeNull();
    await userEvent.click(screen.getByRole('link', { name: 'Posts' }));
    expect(screen.getByLabelText<HTMLInputElement>('Title').value).toBe('half a thought');
    await userEvent.clear(screen.getByLabelText('Title'));
  });

  test('values kept by another page of this origin are not taken for ours', async () => {
    for (const [name, value] of [
      [
        'blog.own',
        '[null, 7, {"id": "x"}, {"id": "y", "kind": "post", "postId": "y", "texts": {"title": {}}, "sentAt": 9e15},' +
          '{"id": "z", "kind": "post", "postId": "z", "texts": {"title": "By a clock that is ahead"}, "sentAt": 9e15}]',
      ],
      ['blog.draft.post', '{"texts": {"title": {"a": 1}}, "sending": "yes"}'],
      ['blog.draft.comment.post-1', 'null'],
    ] as const)
      sessionStorage.setItem(name, value);
    blog.posts = [{ post: aPost(1), comments: [] }];
    await openPage();
    await waitFor(() => expect(titles()).toEqual(['Title 1']));
    expect(blog.sent).toEqual([]);
  });
});

const groupBy = Map.groupBy;
/** Denies it to one file: both halves of the page group something. */
const deniedIn =
  (file: string): typeof Map.groupBy =>
  (items, keyOf) =>
    new Error().stack?.includes(file) ? denied() : (groupBy.call(Map, items, keyOf as never) as never);

describe('an error in one half of the page', () => {
  test.each([
    ['The blog', 'System', () => jest.spyOn(Map, 'groupBy').mockImplementation(deniedIn('post-list'))],
    ['The System page', 'Posts', () => jest.spyOn(Array.prototype, 'findLast').mockImplementation(denied)],
  ])('%s: is reported, leaves the other half intact, and can be retried', async (half, other, break_) => {
    jest.spyOn(console, 'error').mockImplementation(() => undefined);
    media.add('(width >= 75rem)');
    history.replaceState(null, '', '/system');
    blog.posts = [{ post: aPost(1), comments: [] }];
    const broken = break_();
    await openPage();
    await screen.findByText(new RegExp(`${half} cannot be shown because of an error`));
    expect(screen.getByRole('heading', { level: 2, name: other })).toBeTruthy();
    expect(screen.getByRole('button', { name: 'Reload the page' })).toBeTruthy();

    broken.mockRestore();
    await userEvent.click(screen.getByRole('button', { name: 'Show it again' }));
    for (const name of ['Posts', 'System']) await screen.findByRole('heading', { level: 2, name });
  });
});

/** Replaces every text by an element, as translators do. */
function translate() {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const texts: Text[] = [];
  while (walker.nextNode()) texts.push(walker.currentNode as Text);
  for (const text of texts) {
    const font = document.createElement('font');
    font.textContent = text.data.toUpperCase();
    text.replaceWith(font);
  }
}

test('a page that is being translated keeps working', async () => {
  const errors = jest.spyOn(console, 'error').mockImplementation(() => undefined);
  media.add('(width >= 75rem)');
  history.replaceState(null, '', '/system');
  blog.posts = [{ post: aPost(1), comments: [] }];
  await openPage();
  await screen.findByText('Title 1');
  translate();
  const [stream] = FakeEventSource.opened.filter(({ url }) => url.startsWith('/stream'));
  act(() => stream?.send('db-2', aMessage(aPost(1, { title: 'Changed', commentCount: 3 }), [aComment(1)])));
  act(() => system.stopBus());
  await waitFor(() => expect(titles()).toContain('Changed'));
  translate();
  await userEvent.click(screen.getByRole('link', { name: 'POSTS' }));
  expect(screen.getByText('CHANGED')).toBeTruthy();
  expect(errors.mock.calls).toEqual([]);
  cleanup();
});
