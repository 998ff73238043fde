// The live diagram: its nodes, their health, travelling events, and its equal table.
import { SERVICES } from '@blog/common/run/parts.ts';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { act, render, screen, waitFor, within } from '@testing-library/react';
import type { LogEntry } from '../src/system/bus.ts';
import { Diagram } from '../src/system/diagram/diagram.tsx';
import { lagOf } from '../src/system/subscribers/samples.ts';
import { SystemContext } from '../src/system/system-context.ts';
import { type SystemState, type SystemStore, UNKNOWN } from '../src/system/system-store.ts';
import { anEntry, aSubscription } from './fake-system.ts';
import { media, openSystem, spoken, system } from './page.tsx';

// The states are read once a second.

const diagram = () => within(screen.getByRole('region', { name: 'How events travel' }));
const node = (name: string) => diagram().getByRole('button', { name: new RegExp(`^${name} `) });
const nodes = () =>
  diagram()
    .getAllByRole('button')
    .map((button) => button.querySelector('b')?.textContent);
const row = (name: string) => {
  const header = diagram().getByRole<HTMLTableCellElement>('rowheader', { name, hidden: true });
  return Array.from(header.closest('tr')?.cells ?? [], (cell) => cell.textContent);
};
const dots = () => Array.from(document.querySelectorAll<HTMLElement>('[data-lane] > *'), (dot) => dot.dataset.type);
const lanes = (state: string) => document.querySelectorAll(`.lane[data-state="${state}"]`).length;
const change = (name: string, more: Parameters<typeof aSubscription>[1]) => {
  system.subscriptions = system.subscriptions.map((one) => (one.name === name ? { ...one, ...more } : one));
};

/** The dots drawn since the test began, with their lanes. */
let drawn: string[];
let watch: MutationObserver;
beforeEach(() => {
  drawn = [];
  watch = new MutationObserver((records) => {
    for (const { target, addedNodes } of records)
      for (const { dataset, textContent } of addedNodes as NodeListOf<HTMLElement>)
        if (dataset?.type && (target as HTMLElement).dataset.lane)
          drawn.push(`${dataset.type}${textContent?.replace(/[^\dK+]/g, '')} ${(target as HTMLElement).dataset.lane}`);
  });
  watch.observe(document, { subtree: true, childList: true });
});
afterEach(() => watch.disconnect());

describe('its nodes', () => {
  test('client, bus and the four services, and automatically a sixth subscriber', async () => {
    await openSystem();
    const six = ['client', ...SERVICES, 'event-bus'];
    await waitFor(() => expect(nodes()).toEqual(six));
    system.subscriptions.push(aSubscription('words', { kind: 'plain' }));
    await waitFor(() => expect(nodes()).toEqual([...six.slice(0, 5), 'words', 'event-bus']));
    expect(document.querySelectorAll('.lane[data-kind="deliver"]')).toHaveLength(5);
    expect(row('words')).toEqual(['words', 'ready', '–', 'live', '0/s', '0', '0']);
  });

  test('senders without a subscription are shown together as others, in words', async () => {
    await openSystem();
    await waitFor(() => expect(nodes()).toHaveLength(6));
    act(() => system.publish(anEntry(1, { source: 'classic' }), anEntry(2, { source: 'elsewhere' })));
    await waitFor(() => expect(node('others')).toBeTruthy());
    const words = 'Events come from senders that give no name, elsewhere. No events are delivered there.';
    expect(diagram().getByText(words, { selector: '[role=tooltip] *' })).toBeTruthy();
    expect(row('others')[2]).toMatch(/^[0-9.]*[1-9]\/s$/);
    act(() => system.publish(anEntry(3, { source: 'elsewhere' })));
    await waitFor(() => expect(drawn.at(-1)).toBe('PostCreated from others'));
  });
});

describe('their health', () => {
  test('ready, having a problem, not ready and away, with the reasons on hover, in picture and table alike', async () => {
    system.parts.set('posts', { degraded: ['1 event in the outbox is refused.'] });
    system.parts.set('comments', { status: 503, detail: 'The database cannot be read.' });
    system.parts.delete('moderation');
    await openSystem();
    for (const [name, word, reason] of [
      ['posts', 'problem', '1 event in the outbox is refused.'],
      ['comments', 'not ready', 'The database cannot be read.'],
      ['moderation', 'away', 'It does not answer.'],
      ['query', 'ready', ''],
    ] as const) {
      await waitFor(() => expect(node(name).textContent).toContain(word));
      expect(row(name)[1]).toBe(word + reason);
      const described = document.getElementById(node(name).getAttribute('aria-describedby') ?? '');
      expect(described?.textContent).toContain(reason);
    }
  });

  test('a part that comes back is marked as back for a while, and both changes are announced', async () => {
    await openSystem();
    await waitFor(() => expect(node('moderation').textContent).toContain('ready'));
    system.parts.delete('moderation');
    await waitFor(() => expect(node('moderation').textContent).toContain('away'));
    system.parts.set('moderation', { degraded: [] });
    await waitFor(() => expect(node('moderation').textContent).toContain('back'));
    expect(spoken()).toContain('moderation is away.moderation is ready again.');
    await waitFor(() => expect(node('moderation').textContent).toContain('ready'));
  });

  test.each(['paused', 'retrying', 'diverged'] as const)(
    'an arrow says that its subscription is %s, and so does the table',
    async (state) => {
      await openSystem();
      await waitFor(() => expect(lanes('live')).toBeGreaterThan(0));
      change('query', { state, lag: 1_234, lagSeconds: 37, lastError: state === 'paused' ? null : 'it failed' });
      await waitFor(() => expect(lanes(state)).toBe(1));
      const lane = document.querySelector(`.lane[data-state="${state}"]`);
      expect(lane?.textContent).toContain(state);
      expect(lane?.textContent).toContain('lag 1.23K, 37 s');
      expect(row('query').slice(3, 6)).toEqual([state, expect.anything(), '1,234, 37 s']);
    },
  );

  test('a bus that is away is shown at its node, and parts behind a gateway that is away are unknown', async () => {
    await openSystem();
    await waitFor(() => expect(node('event-bus').textContent).toContain('ready'));
    act(() => system.stopBus());
    await waitFor(() => expect(node('event-bus').textContent).toContain('away'));
    system.onAsk = () => {
      throw new Error('no answer');
    };
    await waitFor(() => expect(node('client').textContent).toContain('away'));
    expect(node('query').textContent).toContain('unknown');
  });
});

describe('figures', () => {
  const sample = (at: number, position: number, lag: number, lagSeconds = 0) => ({ at, position, lag, lagSeconds });

  test('events that have just come are no lag; those that have waited are', () => {
    expect(lagOf([sample(0, 10, 0), sample(250, 10, 5)])).toEqual({ events: 0, seconds: 0 });
    // Always a few behind, but different ones: it keeps up.
    expect(lagOf([sample(0, 10, 5), sample(400, 15, 5), sample(800, 20, 5)])).toEqual({ events: 0, seconds: 0 });
    expect(lagOf([sample(0, 10, 5), sample(400, 12, 8)])).toEqual({ events: 8, seconds: 0 });
    expect(lagOf([sample(0, 10, 3, 2)])).toEqual({ events: 3, seconds: 2 });
  });
});

describe('travelling events', () => {
  test('an event goes to the bus when it is in the log, and on to each subscriber that got it; nothing is left', async () => {
    await openSystem();
    await waitFor(() => expect(nodes()).toHaveLength(6));
    act(() => system.publish(anEntry(1)));
    await waitFor(() => expect(drawn).toEqual(['PostCreated from posts']));
    change('query', { position: 1 });
    await waitFor(() => expect(drawn).toEqual(['PostCreated from posts', 'PostCreated to query']));
    await waitFor(() => expect(dots()).toEqual([]));
  });

  test('many events travel as one dot with their number', async () => {
    await openSystem();
    await waitFor(() => expect(nodes()).toHaveLength(6));
    act(() => system.publish(...Array.from({ length: 40 }, (_, i) => anEntry(i + 1))));
    change('query', { position: 40 });
    // The first event of the stream comes alone.
    await waitFor(() => expect(drawn.join()).toMatch(/^.*many\d\d from posts,.*many\d\d to query$/));
    expect(drawn.length).toBeLessThan(10);
  });

  test('with reduced motion a number is shown', async () => {
    media.add('(prefers-reduced-motion: reduce)');
    await openSystem();
    await waitFor(() => expect(nodes()).toHaveLength(6));
    act(() => system.publish(anEntry(1), anEntry(2)));
    await waitFor(() => expect(drawn).toEqual(['many+2 from posts']));
    await waitFor(() => expect(dots()).toEqual([]));
  });

  test('a replay moves nothing backwards, and shows the events that are pushed again', async () => {
    change('query', { position: 5 });
    await openSystem();
    await waitFor(() => expect(row('query')[6]).toBe('5'));
    change('query', { position: 0 });
    await waitFor(() => expect(row('query')[6]).toBe('0'));
    expect(drawn).toEqual([]);
    change('query', { position: 5 });
    await waitFor(() => expect(drawn).toEqual(['many5 to query']));
  });
});

describe('under load', () => {
  let state: SystemState;
  let publish: (...entries: LogEntry[]) => void;
  let set: (change: Partial<SystemState>) => void;
  let wait: (ms: number) => Promise<void>;
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['queueMicrotask'] });
    const heard = new Set<(entries: LogEntry[]) => void>();
    const shown = new Set<() => void>();
    const listen = <T,>(listeners: Set<T>, listener: T) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    };
    const store = {
      getState: () => state,
      onEvents: (listener: (entries: LogEntry[]) => void) => listen(heard, listener),
      subscribe: (listener: () => void) => listen(shown, listener),
    };
    state = { ...UNKNOWN, ...positionOf(0) };
    publish = (...entries) => {
      act(() => {
        for (const listener of heard) listener(entries);
      });
    };
    set = (change) => {
      state = { ...state, ...change };
      act(() => {
        for (const listener of shown) listener();
      });
    };
    wait = async (ms) => {
      jest.advanceTimersByTime(ms);
      await Promise.resolve(); // the observer of `drawn`
    };
    render(
      <SystemContext value={store as unknown as SystemStore}>
        <Diagram />
      </SystemContext>,
    );
  });
  const positionOf = (position: number) => ({
    subscriptions: [aSubscription('query', { position })],
    history: new Map([['query', [{ at: performance.now(), position, lag: 0, lagSeconds: 0 }]]]),
  });

  test('events alone change nothing of the picture: it waits for the positions', async () => {
    publish(anEntry(1));
    await wait(1_000);
    drawn = [];
    const rates = () => document.querySelector('.picture')?.textContent?.match(/[1-9]\d*\/s/g);
    const changes: MutationRecord[] = [];
    const observer = new MutationObserver((records) => changes.push(...records));
    observer.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
    for (let batch = 0; batch < 100; batch++) {
      publish(...Array.from({ length: 10 }, (_, i) => anEntry(10 * batch + i + 2)));
    }
    await wait(0);
    expect(changes.filter(({ target }) => (target as HTMLElement).dataset?.lane === undefined)).toEqual([]);
    expect(drawn).toEqual(['many1K from posts']);
    const count = { at: performance.now(), position: 0, lag: 0, lagSeconds: 0 };
    const posts = [count, { ...count, at: count.at + 5_000, position: 1_000 }];
    set({ ...positionOf(1_000), sources: new Map([['posts', posts]]) });
    expect(rates()).toEqual(['200/s']);
    observer.disconnect();
  });

  test('at 150 events a second a lane gets five dots a second', async () => {
    for (let position = 15; position <= 750; position += 15) {
      publish(...Array.from({ length: 15 }, (_, i) => anEntry(position - i)));
      set(positionOf(position));
      await wait(100);
      expect(dots().length).toBeLessThanOrEqual(2 * 4);
    }
    expect(drawn.length).toBeGreaterThan(40);
    expect(drawn.length).toBeLessThanOrEqual(2 * 5 * 5 + 2);
  });

  test('the events of one comment follow one another, and do not delay others', async () => {
    const one = (position: number, source: string, type: string) => anEntry(position, { source, type, subject: 'c' });
    publish(
      one(1, 'comments', 'CommentCreated'),
      anEntry(2),
      one(3, 'moderation', 'CommentModerated'),
      one(4, 'comments', 'CommentUpdated'),
    );
    set(positionOf(4));
    await wait(0);
    expect(drawn).toEqual(['CommentCreated from comments', 'PostCreated from posts']);
    await wait(800);
    const second = ['CommentCreated to query', 'CommentModerated from moderation', 'PostCreated to query'];
    expect(drawn.slice(2).sort()).toEqual(second);
    await wait(3_000);
    const rest = ['CommentModerated to query', 'CommentUpdated from comments', 'CommentUpdated to query'];
    expect(drawn.slice(5).sort()).toEqual(rest);
    expect(dots()).toEqual([]);
  });

  test('a hidden tab draws nothing, and shows nothing of it later', async () => {
    const hidden = jest.spyOn(document, 'hidden', 'get').mockReturnValue(true);
    publish(anEntry(1), anEntry(2));
    await wait(10_000);
    hidden.mockReturnValue(false);
    await wait(10_000);
    expect(drawn).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
  });
});
