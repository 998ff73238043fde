// The live diagram: its nodes, their health, travelling events, and its equal table.
import { SERVICES } from '@blog/common/run/parts.ts';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { act, screen, waitFor, within } from '@testing-library/react';
import { layOut } from '../src/system/diagram/layout.ts';
import { membersOf } from '../src/system/diagram/members.ts';
import { createPace } from '../src/system/diagram/pace.ts';
import { createPublishing } from '../src/system/diagram/publishing.ts';
import { lagOf } from '../src/system/subscribers/samples.ts';
import { createSystemStore } from '../src/system/system-store.ts';
import { anEntry, aSubscription } from './fake-system.ts';
import { media, openSystem, spoken, system } from './page.tsx';

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
const dots = () => Array.from(document.querySelectorAll<HTMLElement>('.dots .dot'), (dot) => dot.dataset.type);
const lanes = (state: string) => document.querySelectorAll(`.lane[data-state="${state}"]`).length;
const change = (name: string, more: Parameters<typeof aSubscription>[1]) => {
  system.subscriptions = system.subscriptions.map((one) => (one.name === name ? { ...one, ...more } : one));
};

/** The animations started, by type and number. */
let moved: { type: string | undefined; text: string | null }[];
beforeEach(() => {
  moved = [];
  const animate = Element.prototype.animate;
  Element.prototype.animate = function (this: HTMLElement, ...rest) {
    moved.push({ type: this.dataset.type, text: this.textContent });
    return animate.apply(this, rest);
  };
});

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

  test('unknown sources are shown together as others', async () => {
    await openSystem();
    await waitFor(() => expect(nodes()).toHaveLength(6));
    act(() => system.publish(anEntry(1, { source: 'classic' }), anEntry(2, { source: 'elsewhere' })));
    await waitFor(() => expect(node('others')).toBeTruthy());
    expect(diagram().getByText('It publishes: classic, elsewhere.', { selector: '[role=tooltip] *' })).toBeTruthy();
  });

  test('none overlaps another, on any screen, and every arrow ends at its node', () => {
    const state = createSystemStore(() => undefined).getState();
    const names = ['posts', 'comments', 'query', 'moderation', 'words', 'more'];
    const members = membersOf(
      { ...state, subscriptions: names.map((name) => aSubscription(name)) },
      createPublishing(),
    );
    for (const width of [200, 230, 360, 559, 560, 690, 1_200]) {
      const { places, client, bus, width: used } = layOut(members, width);
      const boxes = [client, bus, ...[...places.values()].map(({ box }) => box)];
      for (const [i, a] of boxes.entries()) {
        for (const b of boxes.slice(i + 1)) {
          const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
          expect({ width, apart }).toEqual({ width, apart: true });
        }
      }
      expect(used).toBeLessThanOrEqual(Math.max(230, width));
      for (const { box, deliver } of places.values()) {
        const edges = [box.x, box.x + box.width].map((x) => Math.abs(x - (deliver?.to.x ?? 0)));
        expect(Math.min(...edges)).toBeLessThan(5);
      }
    }
  });
});

describe('their health', () => {
  test('ready, degraded, not ready and away, with the reasons on hover, in picture and table alike', async () => {
    system.parts.set('posts', { degraded: ['1 event in the outbox is refused.'] });
    system.parts.set('comments', { status: 503, detail: 'The database cannot be read.' });
    system.parts.delete('moderation');
    await openSystem();
    for (const [name, word, reason] of [
      ['posts', 'degraded', '1 event in the outbox is refused.'],
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
    await waitFor(() => expect(node('moderation').textContent).toContain('away'), { timeout: 3_000 });
    system.parts.set('moderation', { degraded: [] });
    await waitFor(() => expect(node('moderation').textContent).toContain('back'), { timeout: 3_000 });
    expect(spoken()).toContain('moderation is away.moderation is ready again.');
    await waitFor(() => expect(node('moderation').textContent).toContain('ready'), { timeout: 5_000 });
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
    await waitFor(() => expect(node('event-bus').textContent).toContain('away'), { timeout: 3_000 });
    system.onAsk = () => {
      throw new Error('no answer');
    };
    await waitFor(() => expect(node('client').textContent).toContain('away'), { timeout: 3_000 });
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

  test('publications are counted by source over five seconds', () => {
    const publishing = createPublishing();
    publishing.add(
      1_000,
      Array.from({ length: 50 }, () => ({ source: 'posts' })),
    );
    expect(publishing.rate('posts', 2_000)).toBe(10);
    expect(publishing.rate('posts', 6_500)).toBe(0);
  });
});

describe('travelling events', () => {
  test('an event goes to the bus when it is in the log, and on to each subscriber that got it, in the colour of its type; nothing is left', async () => {
    await openSystem();
    await waitFor(() => expect(nodes()).toHaveLength(6));
    act(() => system.publish(anEntry(1)));
    await waitFor(() => expect(moved).toEqual([{ type: 'PostCreated', text: '' }]));
    change('query', { position: 1 });
    await waitFor(() => expect(moved).toHaveLength(2), { timeout: 3_000 });
    expect(moved[1]).toEqual({ type: 'PostCreated', text: '' });
    await waitFor(() => expect(dots()).toEqual([]), { timeout: 3_000 });
  });

  test('many events travel as one dot with their number', async () => {
    await openSystem();
    await waitFor(() => expect(nodes()).toHaveLength(6));
    act(() => system.publish(...Array.from({ length: 40 }, (_, i) => anEntry(i + 1))));
    change('query', { position: 40 });
    await waitFor(() => expect(moved).toHaveLength(2), { timeout: 3_000 });
    expect(moved).toEqual([
      { type: 'many', text: '40' },
      { type: 'many', text: '40' },
    ]);
  });

  test('with reduced motion numbers are shown, and nothing moves', async () => {
    media.add('(prefers-reduced-motion: reduce)');
    await openSystem();
    await waitFor(() => expect(nodes()).toHaveLength(6));
    act(() => system.publish(anEntry(1), anEntry(2)));
    await waitFor(() => expect(document.querySelector('.dots')?.textContent).toBe('+2'));
    expect(moved).toEqual([]);
    await waitFor(() => expect(dots()).toEqual([]), { timeout: 3_000 });
  });

  test('the events of one comment follow one another, and do not delay others', () => {
    const pace = createPace(500);
    const one = (position: number, source: string, type: string) => anEntry(position, { source, type, subject: 'c' });
    const entries = [
      one(1, 'comments', 'CommentCreated'),
      anEntry(2),
      one(3, 'moderation', 'CommentModerated'),
      one(4, 'comments', 'CommentUpdated'),
    ];
    const left = pace.published(entries, 0).map(({ at, events }) => [events[0]?.position, at]);
    expect(left).toEqual([
      [1, 0],
      [2, 0],
      [3, 1_000],
      [4, 2_000],
    ]);
    expect(pace.delivered(0, 4, 100).map(({ at }) => at)).toEqual([500, 1_500, 2_500]);
    expect(pace.delivered(0, 4, 9_000)).toMatchObject([{ at: 9_000, count: 4 }]);
  });

  test('a replay moves nothing backwards, and shows the events that are pushed again', async () => {
    change('query', { position: 5 });
    await openSystem();
    await waitFor(() => expect(row('query')[6]).toBe('5'));
    change('query', { position: 0 });
    await waitFor(() => expect(row('query')[6]).toBe('0'));
    expect(moved).toEqual([]);
    change('query', { position: 5 });
    await waitFor(() => expect(moved).toEqual([{ type: 'many', text: '5' }]), { timeout: 3_000 });
  });

  test('a thousand events draw the page a few times only', async () => {
    await openSystem();
    await waitFor(() => expect(nodes()).toHaveLength(6));
    const observer = { count: 0 };
    const mutations = new MutationObserver(() => {
      observer.count += 1;
    });
    mutations.observe(document.querySelector('.diagram svg') as Element, {
      subtree: true,
      characterData: true,
      childList: true,
    });
    for (let position = 1; position <= 1_000; position++) act(() => system.publish(anEntry(position)));
    await waitFor(() => expect(screen.getAllByText(/^1,000 events in the log/).length).toBeGreaterThan(0));
    mutations.disconnect();
    expect(observer.count).toBeLessThan(30);
    expect(moved.length).toBeLessThan(30);
  });
});
