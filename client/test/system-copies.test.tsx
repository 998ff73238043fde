// Services in several copies, and a bus whose log is on a quorum, on the System page.
import { beforeEach, expect, test } from '@jest/globals';
import { act, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { installDialog } from './dialog.ts';
import { anEntry, aSubscription } from './fake-system.ts';
import { openSystem, spoken, system } from './page.tsx';

const copy = (name: string, more: Parameters<typeof aSubscription>[1] = {}) =>
  aSubscription(name, { service: name.replace(/-\d+$/, ''), ...more });
const node = (name: string) => screen.getByRole('button', { name: new RegExp(`^${name} (●|▲|✕|○)?`) });
const described = (name: string) =>
  document.getElementById(node(name).getAttribute('aria-describedby') ?? '')?.textContent;
const item = (name: string) => within(screen.getByRole('listitem', { name, hidden: true }));
const figures = (name: string) => item(name).getAllByRole('definition', { hidden: true })[0]?.textContent;

beforeEach(() => {
  installDialog();
  system.control = true;
  system.subscriptions = ['query-10', 'query-9', 'query-2'].map((name) => copy(name, { position: 5 }));
});

test('copies are one node with their number and the worst of their states, and each is in its tooltip', async () => {
  system.change('query-9', { state: 'retrying', lag: 1_234, lagSeconds: 9, lastError: 'connection refused' });
  await openSystem();
  await waitFor(() => expect(node('query ×3').textContent).toContain('2 of 3 live'));
  expect(described('query ×3')).toContain('The bus query-9: connection refused.');
  expect(described('query ×3')).toContain('Delivery query-9: retrying, at position 5, lag 1.23K, 9 s.');
  expect(document.querySelectorAll('.lane[data-state="retrying"]')).toHaveLength(1);
});

test('a delivery to any copy travels along the one arrow', async () => {
  await openSystem();
  await waitFor(() => node('query ×3'));
  const lane = document.querySelector('[data-lane="to query"]') as Element;
  const drawn: (string | undefined)[] = [];
  new MutationObserver((records) => {
    for (const { addedNodes } of records)
      drawn.push(...Array.from(addedNodes, (dot) => (dot as HTMLElement).dataset.type));
  }).observe(lane, { childList: true });
  act(() => system.publish(anEntry(6)));
  system.change('query-9', { position: 6 });
  await waitFor(() => expect(drawn).toEqual(['PostCreated']));
});

test('copies are one row with the largest lag, and on demand a row each, in the order of their numbers', async () => {
  system.change('query-9', { state: 'paused', lag: 7, lagSeconds: 3 });
  await openSystem();
  await screen.findByText('Its copies: query-2, query-9 paused, query-10');
  expect(figures('query ×3')).toBe('7 events, 3 s');
  expect(
    item('query ×3')
      .getAllByRole('heading', { level: 5, hidden: true })
      .map((one) => one.textContent),
  ).toEqual([...['query-2', 'query-9', 'query-10']]);
  await userEvent.click(item('query-9').getByRole('button', { name: 'Resume query-9', hidden: true }));
  await waitFor(() => expect(system.pressed).toEqual(['/subscriptions/query-9/resume']));
});

test('a copy that is gone is not counted, and can be forgotten; the focus stays in the list', async () => {
  system.change('query-10', { state: 'gone', lag: 99, lagSeconds: 99 });
  await openSystem();
  await waitFor(() => expect(node('query ×2').textContent).toContain('ready'));
  expect(figures('query ×2')).toBe('0 events');
  item('query-10').getByText(/It is not found any more/);
  expect(item('query-9').queryByRole('button', { name: /Forget/, hidden: true })).toBeNull();
  await userEvent.click(screen.getByText(/^Its copies:/));
  await userEvent.click(item('query-10').getByRole('button', { name: 'Forget… query-10' }));
  await userEvent.click(screen.getByRole('button', { name: 'Forget it' }));
  await waitFor(() => expect(screen.queryByRole('listitem', { name: 'query-10', hidden: true })).toBeNull());
  expect(system.pressed).toEqual(['/subscriptions/query-10']);
  expect(spoken()).toContain('query-10 is forgotten.');
  await waitFor(() => expect(document.activeElement?.textContent).toBe('Subscriptions'));
});

test('a bus that names no service has each subscription by its own name', async () => {
  system.subscriptions = ['words-0', 'words-1'].map((name) => aSubscription(name));
  system.raw.set('subscriptions', JSON.stringify(system.subscriptions.map((one) => ({ ...one, service: undefined }))));
  await openSystem();
  await waitFor(() => [node('words-0'), node('words-1')]);
});

const nodes = (...states: string[]) =>
  states.map((state, n) => ({
    name: `nats-${n}`,
    leader: state === 'leads',
    current: ['leads', 'current'].includes(state),
    offline: state === 'offline',
  }));
const quorum = (leader: string | null, ...states: string[]) => ({
  ...{ status: 'ready', degraded: [] },
  quorum: { leader, copies: ['event-bus-0', 'event-bus-1'], nodes: nodes(...states) },
});

test('the leader of the bus and the nodes of its quorum are shown, and a new leader is announced', async () => {
  system.parts.set('event-bus', quorum('event-bus-0', 'leads', 'current', 'behind'));
  await openSystem();
  await screen.findByText('event-bus-0 leads the bus, and event-bus-1 passes requests on to it.');
  screen.getByText('The log is on a quorum of 3 nodes: nats-0 leads, nats-1 is current, nats-2 is catching up.');
  expect(node('event-bus ×2').textContent).toContain('ready');
  system.parts.set('event-bus', quorum('event-bus-1', 'offline', 'leads', 'current'));
  await waitFor(() => expect(spoken()).toContain('event-bus-1 leads the event bus now.'));
  expect(described('event-bus ×2')).toContain('Only 2 of 3 nodes of the quorum can be reached.');
});

test.each([
  ['event-bus-0', ['leads', 'offline', 'offline'], 'The quorum is lost: 1 of 3 nodes can be reached'],
  ['event-bus-0', ['current', 'current', 'current'], 'No node of the quorum leads'],
  [null, ['leads', 'current', 'current'], 'No copy of the bus leads'],
])('what is wrong with the quorum is said in words: %s %j', async (leader, states, words) => {
  system.parts.set('event-bus', quorum(leader, ...states));
  await openSystem();
  await waitFor(() => expect(node('event-bus ×2').textContent).toContain('problem'));
  expect(described('event-bus ×2')).toContain(words);
});
