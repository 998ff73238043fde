// Renders the page with a fake blog, and acts as its reader.
import { afterEach, beforeEach, expect, jest } from '@jest/globals';
import { act, cleanup, configure, render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import type { JSX } from 'react';
import { App } from '../src/app.tsx';
import '../src/system/system.tsx'; // loaded already, so that fake timers do not stop it
import { client } from '../src/shared/http.ts';
import { createHub, type FromHub, type ToHub } from '../src/shared/stream-hub.ts';
import { FakeBlog, FakeEventSource } from './fake-blog.ts';
import { FakeSystem } from './fake-system.ts';

// An idle System page asks once a second.
configure({ asyncUtilTimeout: 60_000 });

/** The blog of the current test. */
export let blog: FakeBlog;
/** The system behind it. */
export let system: FakeSystem;
/** Media queries that match, as written in the code. */
export const media = new Set<string>();

beforeEach(() => {
  blog = new FakeBlog();
  system = new FakeSystem();
  client.defaults.adapter = system.adapter(blog.adapter);
  globalThis.EventSource = FakeEventSource as unknown as typeof EventSource;
  const connect = createHub();
  /** The worker shared by the windows of a browser; here messages are delivered synchronously. */
  globalThis.SharedWorker = class {
    readonly port = new FakePort(connect);
  } as unknown as typeof SharedWorker;
  window.scrollBy = () => undefined;
  window.scrollTo = () => undefined;
  media.clear();
  window.matchMedia = (query) => Object.assign(new EventTarget(), { matches: media.has(query) }) as MediaQueryList;
  globalThis.ResizeObserver = class {
    observe() {}
    unobserve() {}
    disconnect() {}
  };
  globalThis.IntersectionObserver = FakeIntersectionObserver as unknown as typeof IntersectionObserver;
  history.replaceState(null, '', '/');
  FakeEventSource.opened = [];
  sessionStorage.clear();
});

afterEach(() => {
  cleanup();
  jest.restoreAllMocks();
  jest.useRealTimers();
});

class FakePort {
  onmessage: ((event: { data: FromHub }) => void) | null = null;
  readonly postMessage: (message: ToHub) => void;

  constructor(connect: ReturnType<typeof createHub>) {
    this.postMessage = connect((data) => this.onmessage?.({ data }));
  }
  close() {}
}

const observers = new Set<(changes: { isIntersecting: boolean }[]) => void>();
class FakeIntersectionObserver {
  disconnect: () => void;
  constructor(onChange: (changes: { isIntersecting: boolean }[]) => void) {
    observers.add(onChange);
    this.disconnect = () => observers.delete(onChange);
  }
  observe() {}
}
/** Scrolls what the page observes into view, as it is at first, or out of view. */
export const setInView = (isIntersecting: boolean) =>
  act(() => {
    for (const tell of observers) tell([{ isIntersecting }]);
  });

export async function openPage(page: JSX.Element = <App />) {
  await act(async () => void render(page));
  await waitFor(() => expect(FakeEventSource.opened.length).toBeGreaterThan(0));
  act(() => FakeEventSource.last.open());
}

export const send = (id: string, ...messages: Parameters<FakeEventSource['send']>[1][]) =>
  act(() => FakeEventSource.last.send(id, ...messages));
export const titles = () => screen.queryAllByRole('heading', { level: 3 }).map((heading) => heading.textContent);
export const article = (name: string) => within(screen.getByRole('article', { name }));
export const spoken = () => screen.getByRole('status').textContent;
const write = async (label: string, text: string, button: string, scope = within(document.body)) => {
  await userEvent.type(scope.getByLabelText(label), text);
  await userEvent.click(scope.getByRole('button', { name: button }));
};
export const post = (text: string) => write('Title', text, 'Post');
/** Opens the comment form of a post, unless it is open. */
export async function commentField(title: string) {
  const opener = article(title).queryByRole('button', { name: 'Write a comment' });
  if (opener) await userEvent.click(opener);
  return article(title).getByLabelText<HTMLTextAreaElement>('Your comment');
}
export async function comment(title: string, text: string) {
  await commentField(title);
  await write('Your comment', text, 'Comment', article(title));
}

/** Opens the System page and waits until its log is followed. */
export async function openSystem(address = '/system') {
  history.replaceState(null, '', address);
  await act(async () => void render(<App />));
  await waitFor(() => expect(system.stream).toBeTruthy());
  act(() => system.stream.open());
}

/** An answer that the test gives at a time of its choice. */
export function later<T>() {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
