// The System page's address, its place beside the blog, and its summary.
import { afterEach, describe, expect, test } from '@jest/globals';
import { act, fireEvent, render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { App } from '../src/app.tsx';
import { aPost, FakeEventSource } from './fake-blog.ts';
import { anEntry } from './fake-system.ts';
import { blog, media, openPage, openSystem, spoken, system } from './page.tsx';

const streams = () => FakeEventSource.opened.filter(({ closed }) => !closed).map(({ url }) => url.split('?')[0]);
const systemHeading = () => screen.queryByRole('heading', { level: 2, name: 'System' });

describe('the address', () => {
  test('a link leads from the blog to the system and back, without loading the page; title and focus go along', async () => {
    blog.posts = [{ post: aPost(1), comments: [] }];
    await openPage();
    await screen.findByText('Title 1');
    await userEvent.click(screen.getByRole('link', { name: 'System' }));
    await screen.findByRole('heading', { level: 2, name: 'System' });
    expect([location.pathname, document.title]).toEqual(['/system', 'System · Blog']);
    expect(document.activeElement).toBe(systemHeading());
    act(() => history.back());
    await screen.findByText('Title 1');
    expect([location.pathname, document.title]).toEqual(['/', 'Blog']);
    expect(systemHeading()).toBeNull();
  });

  test('a click with a key held is left to the browser', async () => {
    await openPage();
    const link = screen.getByRole('link', { name: 'System' });
    expect(fireEvent.click(link, { ctrlKey: true })).toBe(true);
    expect(fireEvent.click(link, { shiftKey: true })).toBe(true);
    expect(location.pathname).toBe('/');
    expect(fireEvent.click(link)).toBe(false);
    expect(location.pathname).toBe('/system');
  });
});

describe('side by side', () => {
  test('a narrow screen shows only the system and opens only its stream', async () => {
    await openSystem();
    expect(screen.queryByRole('heading', { name: 'Posts' })).toBeNull();
    expect(streams()).toEqual(['/api/system/log/stream']);
  });

  test('a wide one shows the blog beside it, each with its own stream', async () => {
    media.add('(width >= 75rem)');
    await openSystem();
    expect(screen.getByRole('heading', { name: 'Posts' })).toBeTruthy();
    await waitFor(() => expect(streams().sort()).toEqual(['/api/system/log/stream', '/stream']));
  });

  test('without a shared worker a window has one stream at most, and the other half is polled', async () => {
    Object.defineProperty(globalThis, 'SharedWorker', { configurable: true, writable: true, value: undefined });
    media.add('(width >= 75rem)');
    history.replaceState(null, '', '/system');
    await openPage();
    const [stream] = streams();
    const isLog = stream === '/api/system/log/stream';
    if (isLog) blog.posts = [{ post: aPost(1), comments: [] }];
    else system.log = [anEntry(1)];
    await screen.findAllByText(isLog ? 'Title 1' : 'PostCreated');
    expect(streams()).toHaveLength(1);
  });

  test('the blog alone asks nothing of the system', async () => {
    media.add('(width >= 75rem)');
    await openPage();
    expect(streams()).toEqual(['/stream']);
    expect(system.asked).toEqual([]);
  });
});

describe('the whole', () => {
  test('says how many events there are, and that the bus is away', async () => {
    system.log = [anEntry(1), anEntry(2)];
    await openSystem();
    await screen.findByText(/^2 events in the log/);
    act(() => system.stopBus());
    await screen.findByText(/The event bus does not answer/, { selector: '.system *' });
    system.startBus();
    await screen.findByText(/^2 events in the log/);
  });

  test('it is live again when it is shown a second time', async () => {
    await openSystem();
    await userEvent.click(screen.getByRole('link', { name: 'Posts' }));
    await waitFor(() => expect(streams()).toEqual(['/stream']));
    await userEvent.click(screen.getByRole('link', { name: 'System' }));
    await waitFor(() => expect(streams()).toEqual(['/api/system/log/stream']));
  });
});

describe('behind a foreign bus', () => {
  /** The answers of the classic bus, and of one in Go or Python. */
  test.each(['Cannot GET /subscriptions', '<!doctype html>\n<pre>405</pre>', '{"status":501}'])(
    'without subscriptions (%s) and positions the page says so, and shows the parts',
    async (text) => {
      media.add('(width >= 75rem)');
      const classic = [{ type: 'PostCreated', data: { id: 'p', title: 'By the classic bus' } }];
      system.onAsk = (_method, path) => (path === '/log' ? { body: classic } : undefined);
      system.raw.set('subscriptions', text);
      blog.posts = [{ post: aPost(1), comments: [] }];
      history.replaceState(null, '', '/system?event=1&comment=c');
      await act(async () => void render(<App />));
      await screen.findByText(/This event bus is a foreign one/);
      expect(await screen.findByText('Title 1')).toBeTruthy();
      expect(screen.getByRole('heading', { name: 'How events travel' })).toBeTruthy();
      expect(screen.queryByRole('heading', { name: 'Subscriptions' })).toBeNull();

      system.onAsk = () => undefined;
      system.raw.clear();
      system.log = [anEntry(1)];
      await screen.findByRole('heading', { name: 'Subscriptions' });
      await screen.findByText(/^1 events? in the log/);
    },
  );
});

describe('with the bus of `npm start -- --bus FOLDER`', () => {
  const open = async (told: object) => {
    const mark = Object.assign(document.createElement('meta'), { name: 'lesson', content: JSON.stringify(told) });
    document.head.append(mark);
    onTestEnd = () => mark.remove();
    system.raw.set('subscriptions', 'Cannot GET /subscriptions');
    history.replaceState(null, '', '/system?event=1&comment=c');
    await act(async () => void render(<App />));
  };
  const text = () => document.querySelector('.system')?.textContent ?? '';
  let onTestEnd = () => {};
  afterEach(() => onTestEnd());

  test('the page says what this bus cannot do, and what to try, and asks of it only if it is there', async () => {
    await open({
      ...{ bus: 'lessons/2-log', step: 2, title: 'a log on disk' },
      ...{ cannot: 'This bus sends each event once.', try: 'Type `stop query`.' },
    });
    expect(screen.getByRole('region', { name: 'Lesson 2: a log on disk' }).textContent).toBe(
      'Lesson 2: a log on diskThis bus sends each event once.Try: Type stop query.The next step can: npm run lesson -- 3.',
    );
    expect(screen.getByText('stop query').tagName).toBe('CODE');
    expect(text()).toContain(
      'The bus is lessons/2-log/bus.ts: it tells this page nothing of subscriptions, dead letters',
    );
    await waitFor(() => expect(system.asked.length).toBeGreaterThan(2));
    system.parts.delete('event-bus');
    system.raw.set('subscriptions', 'null');
    await screen.findByText(/The event bus does not answer/, { selector: '.system *' });
    expect(screen.queryByRole('heading', { name: 'Subscriptions' })).toBeNull();
    expect(screen.getByRole('region', { name: 'Lesson 2: a log on disk' })).toBeTruthy();
    await waitFor(() => expect(spoken()).toContain('The event bus does not answer.'));
    system.startBus();
    system.raw.set('subscriptions', 'Cannot GET /subscriptions');
    await screen.findByText(/The bus is lessons\/2-log/);
    expect(new Set(system.asked)).toEqual(new Set(['GET /state']));
    expect(streams()).toEqual([]);
  });

  test('the last lesson names nothing that its bus cannot do', async () => {
    await open({ bus: 'lessons/8-engine', step: 8, title: 'hand it to an engine' });
    expect(screen.getByRole('region', { name: 'Lesson 8: hand it to an engine' }).children).toHaveLength(1);
  });

  test('of a bus of your own it names the folder, and how to grade it', async () => {
    await open({ bus: '/home/me/bus' });
    expect(text()).toContain("npm run grade -- --bus 'node /home/me/bus/bus.ts'");
    expect(screen.queryByRole('heading', { name: /^Lesson/ })).toBeNull();
  });
});

test('our bus leads to the experiments and the lessons, for those who may control it', async () => {
  await openSystem();
  await screen.findByRole('heading', { name: 'Subscriptions' });
  const way = /ten experiments/;
  expect(screen.queryByText(way) !== null).toBe(system.control);
  system.control = !system.control;
  await waitFor(() => expect(screen.queryByText(way) !== null).toBe(system.control));
});
