// Signing in and out on the page, and a submission that meets an expired session.
import { beforeEach, expect, jest, test } from '@jest/globals';
import { act, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import '../src/sign-in/account.tsx'; // loaded already
import { signedIn } from '../src/sign-in/session.ts';
import { type Answer, aComment, aMessage, aPost } from './fake-blog.ts';
import { article, blog, comment, commentField, openPage, post, send, spoken } from './page.tsx';

const ADA = { id: 'a1', name: 'Ada Lovelace' };
let user: typeof ADA | null;
/** The answer to `GET /me`, if it is not the user. */
let answer: Answer | undefined;

beforeEach(() => {
  user = null;
  answer = undefined;
  document.head.innerHTML = '<meta name="sign-in" content="/login">';
  blog.onGet = (path) => (path === '/me' ? (answer ?? { body: { user } }) : undefined);
  blog.onPost = ({ path }) => {
    if (path === '/logout') {
      user = null;
      return { status: 204 };
    }
    if (!user) return { status: 401, body: { detail: 'Sign in to write.' } };
    return { status: 201, body: { id: 'made', createdAt: '2026-01-02T03:04:05Z', author: user } };
  };
});

/** Comes back to this window, as after signing in in another one. */
const comeBack = () => act(() => void window.dispatchEvent(new Event('focus')));
const asksToSignIn = () => screen.findByText(/^Sign in to send it/, { selector: '.waits' });
const keys = () => blog.sent.filter(({ path }) => path !== '/logout').map(({ key }) => key);

test('without the mark of the gateway nobody is asked who is signed in, and a 401 is an answer like others', async () => {
  document.head.innerHTML = '';
  const asked = jest.fn(blog.onGet);
  blog.onGet = asked;
  await openPage();
  await post('Mine');
  expect(await screen.findByRole('alert')).toHaveProperty('textContent', 'Sign in to write.');
  expect(asked.mock.calls.flat()).not.toContain('/me');
  expect(screen.queryByRole('link', { name: 'Sign in' })).toBeNull();
});

test('the link to sign in leads back to the address at the time', async () => {
  history.replaceState(null, '', '/p/post-1?x=a%26b');
  blog.posts = [{ post: aPost(1), comments: [] }];
  await openPage();
  const link = await screen.findByRole<HTMLAnchorElement>('link', { name: 'Sign in' });
  expect(new URL(link.href).searchParams.get('return')).toBe('/p/post-1?x=a%26b');
  await userEvent.click(screen.getByRole('link', { name: 'All posts' }));
  expect(new URL(link.href).searchParams.get('return')).toBe('/');
});

test('the user has a name, and signs out', async () => {
  user = ADA;
  await openPage();
  expect(await screen.findByText('Ada Lovelace')).toBeTruthy();
  await userEvent.click(screen.getByRole('button', { name: 'Sign out' }));
  expect(await screen.findByRole('link', { name: 'Sign in' })).toBeTruthy();
  expect(spoken()).toContain('You are signed out.');
});

test('an answer from before the sign-out that arrives after it does not bring the user back', async () => {
  user = ADA;
  await openPage();
  await screen.findByText('Ada Lovelace');
  const late = Promise.withResolvers<Answer>();
  blog.onGet = (path) => (path === '/me' ? late.promise : undefined);
  await comeBack();
  await userEvent.click(screen.getByRole('button', { name: 'Sign out' }));
  await screen.findByRole('link', { name: 'Sign in' });
  await act(async () => late.resolve({ body: { user: ADA } }));
  expect(screen.queryByText('Ada Lovelace')).toBeNull();
});

test('signing out that does not work says so, and the user stays', async () => {
  user = ADA;
  await openPage();
  blog.onPost = () => ({ status: 503 });
  await userEvent.click(await screen.findByRole('button', { name: 'Sign out' }));
  expect(await screen.findByRole('button', { name: 'Sign out' })).toBeTruthy();
  expect(spoken()).toContain('Signing out did not work. Try again.');
});

test('a submission without a session keeps its text, asks to sign in, and goes on with the same key', async () => {
  await openPage();
  await post('Mine');
  expect(await asksToSignIn()).toBeTruthy();
  expect(screen.getByLabelText<HTMLInputElement>('Title').value).toBe('Mine');
  expect(spoken()).toMatch(/^Sign in to send it/);
  expect(screen.getAllByRole('link', { name: 'Sign in' })).toHaveLength(2);
  await comeBack();
  expect(keys()).toHaveLength(1);

  user = ADA;
  await comeBack();
  await screen.findByRole('article', { name: 'Mine' });
  expect(article('Mine').getByText(/^by/).textContent).toBe('by Ada Lovelace');
  const [key] = keys();
  expect(keys()).toEqual([key, key]);
  expect(screen.getByLabelText<HTMLInputElement>('Title').value).toBe('');
});

test('a comment goes on as well after the page was left and loaded again', async () => {
  blog.posts = [{ post: aPost(1), comments: [] }];
  await openPage();
  await comment('Title 1', 'Well said');
  await asksToSignIn();
  const { key, sending } = JSON.parse(sessionStorage.getItem('blog.draft.comment.post-1') ?? '{}');
  expect([key, sending]).toEqual(keys().map((key) => [key, true])[0]);
  expect((await commentField('Title 1')).value).toBe('Well said');
});

test('a session that another part does not take is not asked for without a pause', async () => {
  user = ADA;
  await openPage();
  await screen.findByText('Ada Lovelace');
  blog.onPost = () => ({ status: 401 });
  jest.spyOn(Math, 'random').mockReturnValue(0.999);
  await post('Mine');
  await asksToSignIn();
  expect(keys()).toHaveLength(1);
});

test('a text that was sent under another name is sent with a new key', async () => {
  user = ADA;
  await openPage();
  const made = blog.onPost;
  blog.onPost = () => ({ status: 422, body: { detail: 'This key was used by another author.' } });
  await post('Mine');
  expect(await screen.findByRole('alert')).toHaveProperty('textContent', 'This key was used by another author.');
  blog.onPost = made;
  await userEvent.click(screen.getByRole('button', { name: 'Post' }));
  await screen.findByRole('article', { name: 'Mine' });
  expect(new Set(keys()).size).toBe(2);
});

test('auth that is away is said, and asked again', async () => {
  await openPage();
  await screen.findByRole('link', { name: 'Sign in' });
  answer = { status: 503 };
  await comeBack();
  await screen.findByText('Sign-in is not available at the moment.');
  answer = undefined;
  await screen.findByRole('link', { name: 'Sign in' });
});

test('posts and comments name their authors, those from before name none', async () => {
  const comments = [aComment(1, 'approved', { author: ADA }), aComment(2)];
  blog.posts = [
    { post: aPost(1, { commentCount: 2 }), comments },
    { post: aPost(2, { author: { id: 'g1', name: 'Grace' } }), comments: [] },
  ];
  await openPage();
  const authors = (title: string) =>
    article(title)
      .queryAllByText(/^by/)
      .map(({ textContent }) => textContent);
  await waitFor(() => expect([authors('Title 1'), authors('Title 2')]).toEqual([['by Ada Lovelace'], ['by Grace']]));
  await send('db-2', aMessage(aPost(2, { author: undefined, commentCount: 0 })));
  expect(authors('Title 2')).toEqual(['by Grace']);
});

test('nothing waits for a sign-in that was given up', async () => {
  const ending = new AbortController();
  const done = jest.fn();
  void signedIn(ending.signal).then(done);
  await act(async () => {});
  ending.abort();
  user = ADA;
  await openPage();
  await screen.findByText('Ada Lovelace');
  expect(done).not.toHaveBeenCalled();
});
