// The System page's state, with a fake system and without a page.
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { QueryClient } from '@tanstack/react-query';
import { waitFor } from '@testing-library/react';
import { growthRate } from '../src/system/subscribers/samples.ts';
import { createSystemStore, type SystemStore } from '../src/system/system-store.ts';
import { anEntry, aSubscription } from './fake-system.ts';
import { later, system } from './page.tsx';

let store: SystemStore;
let client: QueryClient;
let heard: number[];
let hidden = false;
const spoken = () => [...document.querySelectorAll('#announcements p')].map((line) => line.textContent);

beforeEach(() => {
  jest.spyOn(document, 'visibilityState', 'get').mockImplementation(() => (hidden ? 'hidden' : 'visible'));
  jest.spyOn(Math, 'random').mockReturnValue(0.1);
  hidden = false;
  document.body.innerHTML = '<div id="announcements"></div>';
  heard = [];
  client = new QueryClient();
  client.mount();
  store = createSystemStore(client);
  store.onEvents((batch) => heard.push(...batch.map(({ position }) => position)));
});
afterEach(() => {
  store.stop();
  client.unmount();
});

const show = (shown: boolean) => {
  hidden = !shown;
  document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
};
const entries = (from: number, upto: number) => Array.from({ length: upto - from + 1 }, (_, i) => anEntry(from + i));
/** The events that a bus sends after the checkpoint with which the stream was opened. */
const streamBehind = () => {
  const after = Number.parseInt(new URL(system.stream.url, 'http://x').searchParams.get('after') ?? '', 10);
  for (const entry of system.log.slice(after)) system.stream.send(system.checkpoint(entry.position), entry);
};

async function start() {
  store.start();
  await waitFor(() => expect(system.stream).toBeTruthy());
  system.stream.open();
  await waitFor(() => expect(store.getState()).toMatchObject({ bus: 'here' }));
}

describe('the log', () => {
  test('events from the head that was read on are heard once, also if the stream sends some again', async () => {
    system.log = entries(1, 2);
    system.onAsk = (_method, path) => {
      if (path !== '/log') return undefined;
      // As in the bus: the head is read after the page.
      const body = [...system.log].reverse();
      system.log.push(anEntry(3));
      return { body, headers: { 'event-head': system.checkpoint() } };
    };
    await start();
    system.log.push(anEntry(4));
    streamBehind();
    streamBehind();
    await waitFor(() => expect(store.getState().head).toBe(4));
    expect(heard).toEqual([4]);
  });

  test('listeners get what comes, in its order, and not what was there', async () => {
    system.log = entries(1, 3);
    await start();
    system.publish(...entries(4, 6));
    await waitFor(() => expect(heard).toEqual([4, 5, 6]));
  });

  test('a reset reads it again: another log, shorter than the one before', async () => {
    system.log = entries(1, 5);
    await start();
    await waitFor(() => expect(store.getState()).toMatchObject({ begun: 1, head: 5 }));
    system.log = [anEntry(1, { subject: 'other' })];
    system.stream.reset();
    await waitFor(() => expect(store.getState()).toMatchObject({ begun: 2, head: 1 }));
    await waitFor(() => expect(system.stream.closed).toBe(false));
    system.publish(anEntry(2));
    await waitFor(() => expect(heard).toEqual([2]));
  });

  test('at four thousand events a second listeners are called ten times at most (throttle)', async () => {
    await start();
    let told = 0;
    store.subscribe(() => {
      told += 1;
    });
    const began = performance.now();
    for (let position = 1; position <= 4_000; position++) {
      system.publish(anEntry(position));
      if (position % 40 === 0) await new Promise((resolve) => setTimeout(resolve, 9));
    }
    await waitFor(() => expect(store.getState().head).toBe(4_000));
    const seconds = (performance.now() - began) / 1_000;
    expect(heard).toEqual(entries(1, 4_000).map(({ position }) => position));
    expect(told).toBeGreaterThan(1);
    expect(told).toBeLessThanOrEqual(10 * seconds + 2);
  });
});

describe('the subscriptions', () => {
  test('position and lag are kept for the plot, the head and the rate follow from them', async () => {
    await start();
    system.subscriptions = [aSubscription('query', { position: 0, lag: 10, lagSeconds: 2 })];
    await waitFor(() => expect(store.getState()).toMatchObject({ head: 10 }));
    expect(growthRate(store.getState().history.get('query') ?? [])).toBeGreaterThan(1);
    system.subscriptions = [aSubscription('query', { position: 10 })];
    await waitFor(() => expect(store.getState().history.get('query')?.at(-1)).toMatchObject({ position: 10, lag: 0 }));
    const lags = store
      .getState()
      .history.get('query')
      ?.map(({ lag, lagSeconds }) => [lag, lagSeconds]);
    expect(lags).toContainEqual([10, 2]);
  });

  test('a control action, which invalidates everything, asks at once', async () => {
    await start();
    await waitFor(() => expect(store.getState().subscriptions).toHaveLength(4));
    system.subscriptions = [aSubscription('query', { state: 'paused' })];
    const [before, began] = [system.asked.length, performance.now()];
    void client.invalidateQueries();
    await waitFor(() => expect(store.getState().subscriptions[0]?.state).toBe('paused'));
    // Else the next question would come in a second.
    expect((system.askedAt[before] ?? 0) - began).toBeLessThan(900);
    await waitFor(() => expect(spoken()).toEqual(['The subscription query is paused.']));
  });
});

describe('away and back', () => {
  test('a bus that is away is announced, known values stay, and later it catches up by itself', async () => {
    system.log = entries(1, 2);
    await start();
    system.stopBus();
    await waitFor(() => expect(store.getState()).toMatchObject({ bus: 'away' }));
    expect(store.getState().head).toBe(2);
    expect(store.getState().subscriptions).toHaveLength(4);
    system.startBus();
    await waitFor(() => expect(store.getState().bus).toBe('here'));
    // The stream continues where it was: nothing is read again.
    expect(system.stream.url).toContain(`?after=${system.checkpoint(2)}`);
    system.publish(...entries(3, 4));
    await waitFor(() => expect(store.getState()).toMatchObject({ head: 4, begun: 1 }));
    expect(spoken()).toEqual(['The event bus does not answer.', 'The event bus answers again.']);
  });

  test('outages and recoveries of parts are announced', async () => {
    await start();
    await waitFor(() => expect(store.getState().parts.size).toBe(6));
    system.parts.delete('moderation');
    system.parts.set('posts', { status: 503, detail: 'The database cannot be read.' });
    await waitFor(() => expect(store.getState().parts.get('moderation')).toEqual({ state: 'away' }));
    await waitFor(() => expect(store.getState().parts.get('posts')?.state).toBe('not ready'));
    system.parts.set('moderation', { degraded: ['The outbox waits.'] });
    const back = { state: 'ready', degraded: ['The outbox waits.'] };
    await waitFor(() => expect(store.getState().parts.get('moderation')).toEqual(back));
    expect(spoken()).toContain('moderation is away.');
    expect(spoken()).toContain('posts is not ready.');
    expect(spoken()).toContain('moderation is ready again.');
  });

  test.each([
    ['without /readyz', '{"status":404}'],
    ['that answers a page of several lines', '<!doctype html>\n<h1>Not found</h1>\n'],
    ['that answers nothing', ''],
  ])('a foreign part %s counts as ready', async (_what, text) => {
    system.raw.set('moderation', text);
    await start();
    const { parts, bus } = store.getState();
    expect([parts.get('moderation'), parts.size, bus]).toEqual([{ state: 'ready', degraded: [] }, 6, 'here']);
  });

  test("a delivery that fails is the subscriber's trouble: the bus counts as ready, its own troubles apart", async () => {
    const degraded = ['Delivery to moderation is being tried again: it is away.', 'posts is diverged: it has 9-a.'];
    system.parts.set('event-bus', { status: 'ready', degraded: [...degraded, 'The disk is full.'] });
    await start();
    expect(store.getState().parts.get('event-bus')).toEqual({ state: 'ready', degraded: ['The disk is full.'] });
  });

  test('a bus that refuses for a while counts as away, and not as a foreign one', async () => {
    await start();
    system.raw.set('subscriptions', '{"status":503,"detail":"The bus is stopping."}');
    await waitFor(() => expect(store.getState()).toMatchObject({ bus: 'away', subscriptions: [{}, {}, {}, {}] }));
  });

  test('a gateway that does not answer is the part that is away, and everything known stays', async () => {
    await start();
    system.onAsk = () => ({ status: 502, body: '<h1>Bad gateway</h1>' });
    await waitFor(() => expect(store.getState()).toMatchObject({ bus: 'away', subscriptions: [{}, {}, {}, {}] }));
    const { parts } = store.getState();
    expect([parts.get('client'), parts.get('posts')?.state]).toEqual([{ state: 'away' }, 'ready']);
  });

  test('while nothing happens one request a second is made, and never two at once', async () => {
    await start();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const begun = system.asked.length;
    await waitFor(() => expect(system.asked.length).toBeGreaterThanOrEqual(begun + 3));
    expect(new Set(system.asked.slice(begun))).toEqual(new Set(['GET /state']));
    for (const [i, at] of system.askedAt.entries())
      if (i > begun) expect(at - (system.askedAt[i - 1] ?? 0)).toBeGreaterThan(900);

    const before = system.asked.length;
    const answer = later<undefined>();
    system.onAsk = () => answer.promise;
    system.publish(anEntry(1));
    await waitFor(() => expect(system.asked).toHaveLength(before + 1));
    system.publish(anEntry(2));
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(system.asked).toHaveLength(before + 1);
    // The answer may be older than the event that came meanwhile.
    const answered = performance.now();
    answer.resolve(undefined);
    await waitFor(() => expect(system.asked).toHaveLength(before + 2));
    expect((system.askedAt[before + 1] ?? 0) - answered).toBeLessThan(900);
    expect(system.givenUp).toEqual([]);
  });

  test('a hidden tab asks nothing, and asks at once when it is shown', async () => {
    await start();
    await waitFor(() => expect(store.getState().parts.size).toBe(6));
    show(false);
    // Requests in flight are answered first.
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = system.asked.length;
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(system.asked).toHaveLength(before);
    show(true);
    await waitFor(() => expect(system.asked).toContain('GET /state'));
    await waitFor(() => expect(system.asked.length).toBeGreaterThan(before));
  });

  test('the gateway decides if the bus may be controlled', async () => {
    system.control = true;
    await start();
    await waitFor(() => expect(store.getState().control).toBe(true));
  });
});
