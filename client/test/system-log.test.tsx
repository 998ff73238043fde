// The log and single events on the System page.
import { describe, expect, test } from '@jest/globals';
import { act, fireEvent, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import type { LogEntry } from '../src/system/bus.ts';
import type { Answer } from './fake-blog.ts';
import { anEntry, aSubscription } from './fake-system.ts';
import { later, openSystem, setInView, spoken, system } from './page.tsx';

const entries = (from: number, upto: number, more: Partial<LogEntry> = {}) =>
  Array.from({ length: upto - from + 1 }, (_, index) => anEntry(from + index, more));
const table = () => screen.queryByRole('table', { name: /Events of the log/ });
/** The positions shown, from top to bottom. */
const positions = () =>
  [...(table()?.querySelectorAll('tbody th') ?? [])].map((cell) => Number(cell.textContent?.replaceAll(',', '')));
const shows = (...wanted: number[]) => waitFor(() => expect(positions()).toEqual(wanted));
const publish = (...events: LogEntry[]) => act(() => system.publish(...events));
const press = async (name: string | RegExp) => userEvent.click(await screen.findByRole('button', { name }));
const follow = async (name: string | RegExp) => userEvent.click(await screen.findByRole('link', { name }));

describe('the log', () => {
  test('the newest events are on top, and more are added live', async () => {
    system.log = entries(1, 3);
    await openSystem();
    await shows(3, 2, 1);
    publish(anEntry(4));
    await shows(4, 3, 2, 1);
  });

  test('an event that comes between the reading and the stream is shown too', async () => {
    system.log = entries(1, 2);
    const page = later<Answer>();
    system.onAsk = (_method, _path, query) => (query.get('limit') === '50' ? page.promise : undefined);
    await openSystem();
    await waitFor(() => expect(system.asked.some((asked) => asked.includes('limit=50'))).toBe(true));
    publish(anEntry(3));
    page.resolve({ body: entries(1, 2).reverse(), headers: { 'event-head': system.checkpoint(2) } });
    await shows(3, 2, 1);
  });

  test('after a possible gap it is read anew', async () => {
    system.log = entries(1, 2);
    await openSystem('/system?type=Rare');
    await screen.findByText(/No event in the log matches/);
    await waitFor(() => expect(screen.getByText(/^2 events in the log/)).toBeTruthy());
    system.log.push(anEntry(3, { type: 'Rare' }), ...entries(4, 300));
    act(() => system.stream.reset());
    await shows(3);
  });

  test('another log replaces it', async () => {
    system.log = entries(1, 5);
    await openSystem();
    await shows(5, 4, 3, 2, 1);
    await waitFor(() => expect(screen.getByText(/^5 events in the log/)).toBeTruthy());
    // Some of the events are still to be drawn when the log is wiped.
    for (const position of [6, 7, 8]) publish(anEntry(position));
    system.log = entries(1, 2);
    act(() => system.stream.reset());
    await shows(2, 1);
    await waitFor(() => expect(system.stream).toBeTruthy());
    publish(anEntry(3));
    await shows(3, 2, 1);
  });

  const frame = () => table()?.parentElement as Element;
  const link = () => screen.getByRole('link', { name: '2' });
  test.each([
    [
      'pointed at',
      () => fireEvent.pointerEnter(frame(), { pointerType: 'mouse' }),
      () => fireEvent.pointerLeave(frame()),
    ],
    ['used by the keyboard', () => act(() => link().focus()), () => act(() => link().blur())],
    ['paused', () => press('Pause'), () => press('Pause')],
    ['out of view', () => setInView(false), () => setInView(true)],
  ])(
    'rows that are %s stay: new events are counted, and shown afterwards or on demand',
    async (_how, hold, release) => {
      system.log = entries(1, 2);
      await openSystem();
      await shows(2, 1);
      await hold();
      publish(...entries(3, 5));
      await screen.findByRole('button', { name: '3 new events' });
      expect(positions()).toEqual([2, 1]);
      await release();
      await shows(5, 4, 3, 2, 1);
      await hold();
      publish(anEntry(6));
      fireEvent.click(await screen.findByRole('button', { name: '1 new event' }));
      await shows(6, 5, 4, 3, 2, 1);
    },
  );

  test('rows that are pointed at stay also when the bus is silent for a moment, and its stream breaks', async () => {
    system.log = entries(1, 2);
    await openSystem();
    await shows(2, 1);
    fireEvent.pointerEnter(frame(), { pointerType: 'mouse' });
    publish(anEntry(3));
    await screen.findByRole('button', { name: '1 new event' });
    for (const breakOff of [() => system.parts.delete('event-bus'), () => system.stopBus()]) {
      act(() => void breakOff());
      await screen.findByText('The event bus does not answer. The page keeps trying.');
      system.startBus();
      await screen.findByText(/^3 events in the log/);
    }
    publish(anEntry(4));
    await screen.findByRole('button', { name: '2 new events' });
    expect(positions()).toEqual([2, 1]);
  });

  test('the number of new events stays right while a browser translates the page', async () => {
    await openSystem();
    await press('Pause');
    publish(anEntry(1));
    const button = await screen.findByRole('button', { name: '1 new event' });
    const translated = document.createElement('font');
    button.firstChild?.replaceWith(translated);
    translated.textContent = '1 neues Ereignis';
    publish(anEntry(2));
    await waitFor(() => expect(button.textContent).toBe('2 new events'));
  });

  test('of thousands of events a hundred rows are shown; the others come on demand', async () => {
    system.log = entries(1, 2);
    await openSystem();
    await shows(2, 1);
    publish(...entries(3, 4_000));
    await waitFor(() => expect(positions()[0]).toBe(4_000));
    expect(positions()).toHaveLength(100);
    await press('Older events');
    await waitFor(() => expect(positions()).toHaveLength(150));
    expect(positions().at(-1)).toBe(3_851);
    publish(anEntry(4_001));
    await press(await screen.findByRole('button', { name: '1 new event' }).then((button) => button.textContent ?? ''));
    expect(positions()).toHaveLength(100);
    expect(positions()[0]).toBe(4_001);
  });

  test('the filter by type and subject is in the address, and the list stays live', async () => {
    system.log = [
      anEntry(1, { subject: 'a' }),
      anEntry(2, { subject: 'b' }),
      anEntry(3, { type: 'Other', subject: 'a' }),
    ];
    await openSystem('/system?subject=a');
    await shows(3, 1);
    expect(spoken()).toBe('2 events found.');
    await follow('Other');
    expect(location.search).toBe('?subject=a&type=Other');
    await shows(3);
    publish(anEntry(4, { type: 'Other', subject: 'b' }), anEntry(5, { type: 'Other', subject: 'a' }));
    await shows(5, 3);
    await userEvent.clear(screen.getByLabelText('Type'));
    await userEvent.type(screen.getByLabelText('Type'), ' PostCreated {Enter}');
    expect(location.search).toBe('?subject=a&type=PostCreated');
    await shows(1);
    await follow('Show all');
    expect(location.search).toBe('');
    await shows(5, 4, 3, 2, 1);
  });

  test('a list that is shown again has what came meanwhile', async () => {
    system.log = entries(1, 2);
    await openSystem();
    await shows(2, 1);
    await follow('post-1');
    await shows(1);
    publish(anEntry(3));
    await waitFor(() => expect(screen.getByText(/^3 events in the log/)).toBeTruthy());
    await follow('Show all');
    await shows(3, 2, 1);
  });

  test('a subject may have any characters', async () => {
    const subject = 'ä b&c=d/?#%25+';
    system.log = [anEntry(1), anEntry(2, { subject })];
    await openSystem();
    await shows(2, 1);
    await follow(subject);
    await shows(2);
    expect(new URLSearchParams(location.search).get('subject')).toBe(subject);
  });

  test('a slow search shows that it is searching, and is aborted by another one', async () => {
    system.log = entries(1, 3);
    const never = later<Answer>();
    system.onAsk = (_method, _path, query) => (query.get('type') === 'Rare' ? never.promise : undefined);
    await openSystem('/system?type=Rare');
    await screen.findByText(/Searching the whole log/);
    await waitFor(() => expect(system.asked.some((asked) => asked.includes('type=Rare'))).toBe(true));
    await follow('Show all');
    await shows(3, 2, 1);
    expect(system.givenUp.filter((asked) => asked.includes('type=Rare'))).toHaveLength(1);
  });

  test('a log that cannot be read is reported, and read as soon as it can be', async () => {
    system.log = entries(1, 2);
    await openSystem();
    await shows(2, 1);
    system.onAsk = (_method, path) => (path === '/log' ? { status: 503 } : undefined);
    await follow(/…post|post-2/);
    await screen.findByText(/cannot be read at the moment/);
    system.onAsk = () => undefined;
    await shows(2);
    expect(screen.queryByText(/cannot be read at the moment/)).toBeNull();
  });

  test('new events are not announced', async () => {
    system.log = entries(1, 2);
    await openSystem();
    await shows(2, 1);
    publish(anEntry(3));
    await shows(3, 2, 1);
    expect(table()?.closest('[aria-live], [role=status], [role=log]')).toBeNull();
    expect(spoken()).toBe('');
  });
});

describe('an event', () => {
  const view = () => within(screen.getByRole('region', { name: /^Event/ }));
  const receivers = () =>
    view()
      .getAllByRole('listitem')
      .map((item) => item.textContent);

  test('is opened from its row, whole, and has an address', async () => {
    const data = { id: 'p', title: '<img src=x onerror=alert(1)>' };
    system.log = [anEntry(1), anEntry(2, { data, recordedtime: '2026-01-02T03:04:05.250Z' }), anEntry(3)];
    await openSystem('/system?type=PostCreated');
    await shows(3, 2, 1);
    await follow('2');
    expect(location.search).toBe('?type=PostCreated&event=2');
    await waitFor(() => expect(document.querySelector('pre')).toBeTruthy());
    const { position, ...event } = system.log[1] as LogEntry;
    expect(JSON.parse(document.querySelector('pre')?.textContent ?? '')).toEqual(event);
    expect(document.querySelector('img')).toBeNull();
    await waitFor(() => expect(document.activeElement).toBe(screen.getByRole('heading', { name: 'Event 2' })));
    await follow('Next');
    await screen.findByRole('heading', { name: 'Event 3' });
    expect(view().queryByRole('link', { name: 'Next' })).toBeNull();
    await follow('Previous');
    await userEvent.click(view().getByRole('link', { name: 'Close' }));
    expect(location.search).toBe('?type=PostCreated');
  });

  test.each([
    ['Copied', () => Promise.resolve()],
    ['Not allowed by the browser', () => Promise.reject(new DOMException('', 'NotAllowedError'))],
  ])('is copied, unless the browser forbids it: %p', async (said, writeText) => {
    Object.defineProperty(navigator, 'clipboard', { configurable: true, value: { writeText } });
    system.log = [anEntry(1)];
    await openSystem('/system?event=1');
    await press('Copy');
    await screen.findByRole('button', { name: said });
    Object.defineProperty(navigator, 'clipboard', { configurable: true, value: undefined });
    await follow('Close');
    await follow('1');
    await screen.findByText('In full');
    expect(screen.queryByRole('button', { name: /^Cop/ })).toBeNull();
  });

  test('lists its deliveries with time and attempt, and the missing ones, until there are none', async () => {
    system.log = [anEntry(1, { recordedtime: '2026-01-02T03:04:05.000Z' })];
    system.subscriptions = [
      aSubscription('query', { position: 1 }),
      aSubscription('moderation', { position: 0, lag: 1, state: 'retrying' }),
    ];
    system.deliveries.set(1, [{ subscription: 'query', deliveredAt: '2026-01-02T03:04:05.012Z', attempts: 3 }]);
    await openSystem('/system?event=1');
    await waitFor(() => expect(receivers()).toHaveLength(2));
    expect(receivers()[0]).toMatch(/^query at .*, 12 ms after it was recorded, at attempt 3$/);
    expect(receivers()[1]).toBe('moderation not yet: its subscription is retrying, its lag 1 event');
    system.subscriptions = ['query', 'moderation'].map((name) => aSubscription(name, { position: 1 }));
    system.deliveries
      .get(1)
      ?.push({ subscription: 'moderation', deliveredAt: '2026-01-02T03:04:06.500Z', attempts: 1 });
    await waitFor(() => expect(receivers()[1]).toMatch(/^moderation at .*, 1.50 s after it was recorded$/));
  });

  test('without a remembered delivery is shown as passed, with the reason for the missing time', async () => {
    system.log = entries(1, 2);
    system.subscriptions = [aSubscription('query', { position: 2 })];
    await openSystem('/system?event=1');
    await waitFor(() => expect(receivers()).toEqual(['query is past it']));
    expect(
      view().getByText(/remembers deliveries only in memory, for the newest 10,000 events since its last start/),
    ).toBeTruthy();
  });

  test('past the end of the log is not there, and is shown when it comes', async () => {
    system.log = entries(1, 2);
    await openSystem('/system?event=3');
    await screen.findByText(/There is no event at this position yet: the newest is at 2/);
    publish(anEntry(3));
    await waitFor(() => expect(document.querySelector('pre')?.textContent).toContain('Title 3'));
  });

  test.each(['0', '-1', '1.5', 'x', '9'.repeat(30)])('at %p is no position', async (position) => {
    await openSystem(`/system?event=${position}`);
    await screen.findByText('A position is a whole number from 1 on.');
    expect(system.asked.filter((asked) => asked.includes('deliveries'))).toEqual([]);
  });

  test('of a comment leads to its journey', async () => {
    system.log = [anEntry(1, { type: 'CommentModerated', subject: 'c' })];
    await openSystem('/system?event=1');
    await userEvent.click(await screen.findByRole('link', { name: 'The journey of its comment' }));
    expect(location.search).toBe('?event=1&comment=c');
    await screen.findByRole('heading', { name: 'Journey of a comment' });
  });
});
