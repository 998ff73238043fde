// The subscriptions on the System page, and the actions on them.
import { beforeEach, describe, expect, jest, test } from '@jest/globals';
import { act, fireEvent, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import type { Subscription } from '../src/system/bus.ts';
import { installDialog } from './dialog.ts';
import { later, openSystem, spoken, system } from './page.tsx';

beforeEach(() => {
  installDialog();
  system.control = true;
});

const row = (name = 'query') => within(screen.getByRole('listitem', { name }));
const button = (label: string, name = 'query') => row(name).getByRole('button', { name: `${label} ${name}` });
const isOff = (element: HTMLElement) => element.getAttribute('aria-disabled') === 'true';
const dialog = () => within(screen.getByRole('dialog'));
const answers = (status: number, detail = '') => {
  system.onAsk = (method) => (method === 'GET' ? undefined : { status, body: { status, detail } });
};

/** Opens the page with one subscription, with these fields. */
async function open(more: Partial<Subscription> = {}, name = 'query') {
  system.change(name, more);
  await openSystem();
  await waitFor(() => button('Pause|Resume'.split('|')[more.state === 'paused' ? 1 : 0] as string, name));
}

describe('what is shown', () => {
  test('name, kind, position of the head, lag in events and time', async () => {
    await open({ kind: 'plain', position: 1_200, lag: 34, lagSeconds: 250 });
    expect(row().getByRole('heading', { level: 4 }).textContent).toBe('query');
    expect(
      row()
        .getAllByRole('definition')
        .map((dd) => dd.textContent),
    ).toEqual(['1,200 of 1,234', '34 events, 4 min', 'plain']);
    expect(row('posts').getAllByRole('definition')[1]?.textContent).toBe('0 events');
  });

  test.each<[string, Partial<Subscription>, string]>([
    ['Live', { state: 'live' }, ''],
    ['Starting', { state: 'starting', kind: 'unknown' }, 'The bus is asking for its checkpoint.'],
    ['Paused', { state: 'paused' }, 'Nothing is delivered to it until it is resumed.'],
    [
      'Retrying',
      { state: 'retrying', lastError: 'answered 422 An event could not be handled.' },
      'The last attempt failed: answered 422 An event could not be handled. Retrying now.',
    ],
    ['Live', { replay: { id: 'r', from: 7 } }, 'Replaying from position 7, once it can be reached.'],
    ['Diverged', { state: 'diverged', lastError: 'its checkpoint is 9-abc, which this log does not have' }, ''],
  ])('a state in words: %s %j', async (state, more, details) => {
    await open(more);
    const item = screen.getByRole('listitem', { name: 'query' });
    expect(item.querySelector('.subscription-state')?.textContent).toBe(state);
    expect(item.querySelector('.subscription-details')?.textContent ?? '').toBe(details);
  });

  test('the next attempt is counted down', async () => {
    const nextAttempt = new Date(Date.now() + 30_000).toISOString();
    await open({ state: 'retrying', lastError: 'connection refused', nextAttempt });
    const seconds = () => {
      const text =
        row().getByText(/^The last attempt failed: connection refused\. Next attempt in \d+ s\.$/).textContent ?? '';
      return Number.parseInt(text.split(' in ')[1] ?? '', 10);
    };
    const first = seconds();
    expect(first).toBeGreaterThan(20);
    await waitFor(() => expect(seconds()).toBeLessThan(first));
    // By an hour, the clocks of bus and browser differ.
    system.change('query', { nextAttempt: new Date(Date.now() + 3_600_000).toISOString() });
    await row().findByText(/The bus keeps trying\.$/);
  });

  test.each([
    ['posts', /replay it\. .* Never delete its database/],
    ['comments', /replay it\. .* Never delete its database/],
    ['moderation', /replay it\. .* Never delete its database/],
    ['query', /delete its database .* and start it/],
    ['my-own', /if it has data of its own, replay it/],
  ])('what to do with %s when it is diverged', async (name, words) => {
    system.subscriptions.push({ ...(system.subscriptions[0] as Subscription), name: 'my-own', service: 'my-own' });
    await open({ state: 'diverged', lastError: 'its checkpoint is 9-abc, which this log does not have' }, name);
    row(name).getByText(/its checkpoint is 9-abc, which this log does not have\. One of the two was lost/);
    expect(
      row(name)
        .getByText(/What to do/)
        .closest('p')?.textContent,
    ).toMatch(words);
  });

  test('the plot follows the lag, and says in words what it shows', async () => {
    await open();
    await row().findByText('Last minute: no lag');
    const points = () => {
      const line = document.querySelectorAll('.lag-line')[2]?.getAttribute('d') ?? '';
      return Array.from(line.matchAll(/[MV](?:\S+ )?([\d.]+)/g), ([, y]) => Number(y));
    };
    expect(new Set(points()).size).toBe(1);
    system.change('query', { lag: 12, lagSeconds: 1 });
    await row().findByText('Last minute: lag up to 12');
    expect(points().at(-1)).toBeLessThan(points()[0] as number);
    system.change('query', { lag: 0 });
    await row().findByText('0 events');
    row().getByText('Last minute: lag up to 12');
    expect(points().at(-1)).toBe(points()[0]);
  });

  test('without control there is no button, and the reason is shown', async () => {
    system.control = false;
    system.change('query', { state: 'diverged' });
    await openSystem();
    await screen.findByText(/Read-only: the buttons are shown only if/);
    expect(row().queryAllByRole('button')).toEqual([]);
  });

  test('while the bus is away the last known values stay, and nothing can be done', async () => {
    await open({ position: 5, lag: 2 });
    act(() => system.stopBus());
    await screen.findByText('These are the last known values. Nothing can be done until the bus is back.');
    row().getByText('5 of 7');
    for (const label of ['Pause', 'Try now', 'Skip…', 'Replay…']) {
      expect(isOff(button(label))).toBe(true);
      await userEvent.click(button(label));
    }
    expect(button('Pause').closest('fieldset')?.getAttribute('aria-describedby')).toBe('bus');
    expect([screen.queryByRole('dialog'), system.pressed]).toEqual([null, []]);
    system.startBus();
    await waitFor(() => expect(isOff(button('Pause'))).toBe(false));
  });
});

describe('pause and resume', () => {
  test('work, are shown at once, and keep the focus', async () => {
    await open();
    await userEvent.click(button('Pause'));
    await waitFor(() => button('Resume'));
    expect(document.activeElement).toBe(button('Resume'));
    await userEvent.keyboard('{Enter}');
    await waitFor(() => button('Pause'));
    // The state is asked for after each command; else the next question would come in a second.
    for (const command of ['pause', 'resume']) {
      const sent = system.asked.indexOf(`POST /subscriptions/query/${command}`);
      expect((system.askedAt[sent + 1] ?? 0) - (system.askedAt[sent] ?? 0)).toBeLessThan(900);
    }
    expect(system.pressed).toEqual(['/subscriptions/query/pause', '/subscriptions/query/resume']);
  });

  test('nothing happens twice, neither by a double click nor by a click during the first request', async () => {
    await open();
    await userEvent.dblClick(button('Pause'));
    await waitFor(() => button('Resume'));
    expect(system.pressed).toEqual(['/subscriptions/query/pause']);

    // The second click of a double click, after the answer to the first.
    fireEvent.click(button('Resume'), { detail: 2 });
    expect(system.pressed).toHaveLength(1);

    const answer = later<void>();
    system.onAsk = async (method) => {
      if (method !== 'GET') await answer.promise;
      return undefined;
    };
    fireEvent.click(button('Resume'));
    await waitFor(() => expect(isOff(button('Resume'))).toBe(true));
    fireEvent.click(button('Resume'));
    fireEvent.click(button('Replay…'));
    answer.resolve();
    await waitFor(() => button('Pause'));
    expect(system.pressed).toHaveLength(2);
    expect(screen.queryByRole('dialog')).toBeNull();
  });

  test('a subscription that waits for its next attempt can be retried now; another cannot', async () => {
    await open({ state: 'retrying' });
    await userEvent.click(button('Try now'));
    expect(system.pressed).toEqual(['/subscriptions/query/resume']);
    await waitFor(() => expect(isOff(button('Try now'))).toBe(true));
    await userEvent.click(button('Try now'));
    expect(system.pressed).toHaveLength(1);
  });

  test.each([
    [404, 'There is nothing at this address.', 'Not done: the bus does not know it, or control is off.'],
    [409, 'It is stuck', 'It is stuck.'],
    [503, 'event-bus is not answering. Try again in a moment.', 'event-bus is not answering. Try again in a moment.'],
    [500, '', 'Not done: the bus failed (500). Try again.'],
  ])('a %i is shown at the button, and the state stays', async (status, detail, text) => {
    await open();
    answers(status, detail);
    await userEvent.click(button('Pause'));
    expect((await row().findByRole('alert')).textContent).toBe(text);
    expect(row().queryByRole('button', { name: /Resume/ })).toBeNull();
    system.onAsk = () => undefined;
    await userEvent.click(button('Pause'));
    await waitFor(() => button('Resume'));
    expect(row().queryByRole('alert')).toBeNull();
  });

  test('a missing answer is reported as such', async () => {
    await open();
    system.onAsk = (method) => {
      if (method !== 'GET') throw new Error('Network Error');
      return undefined;
    };
    await userEvent.click(button('Pause'));
    expect((await row().findByRole('alert')).textContent).toBe(
      'No answer: it may or may not have been done. Look at the state before you try again.',
    );
  });
});

describe('skip', () => {
  test('asks first, with the focus on Cancel; Escape cancels, and the focus is restored', async () => {
    await open({ state: 'retrying', position: 5, lag: 2 });
    await userEvent.click(button('Skip…'));
    dialog().getByText(/The next event after position 5 is parked as a dead letter/);
    expect(document.activeElement?.textContent).toBe('Cancel');
    await userEvent.keyboard('{Escape}');
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    expect(document.activeElement).toBe(button('Skip…'));
    await userEvent.click(button('Skip…'));
    await userEvent.click(dialog().getByRole('button', { name: 'Cancel' }));
    expect([screen.queryByRole('dialog'), system.pressed]).toEqual([null, []]);
  });

  test('parks the event, says so, and the dead letters have it at once', async () => {
    await open({ state: 'retrying', position: 5, lag: 2 });
    await userEvent.click(button('Skip…'));
    await userEvent.click(dialog().getByRole('button', { name: 'Skip it' }));
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    expect(system.pressed).toEqual(['/subscriptions/query/skip']);
    expect(document.activeElement).toBe(button('Skip…'));
    await waitFor(() => expect(spoken()).toContain('The next event for query is parked among the dead letters.'));
    await screen.findByRole('heading', { name: 'Dead letters (1)' });
  });

  test('parks nothing if the subscription has advanced meanwhile', async () => {
    await open({ state: 'retrying', position: 5, lag: 2 });
    await userEvent.click(button('Skip…'));
    system.change('query', { position: 6, lag: 1, state: 'live' });
    await dialog().findByText(/Meanwhile query has advanced to position 6/);
    await userEvent.click(dialog().getByRole('button', { name: 'Skip it' }));
    expect(system.pressed).toEqual([]);
  });

  test('is refused in the dialog, which stays', async () => {
    await open({ state: 'retrying', position: 5, lag: 2 });
    await userEvent.click(button('Skip…'));
    answers(409, 'There is no event to skip.');
    await userEvent.click(dialog().getByRole('button', { name: 'Skip it' }));
    await dialog().findByText('There is no event to skip.');
  });

  test.each<[string, Partial<Subscription>]>([
    ['there is nothing to skip', { lag: 0 }],
    ['it is diverged', { lag: 3, state: 'diverged' }],
  ])('cannot be asked for where %s', async (_, more) => {
    await open(more);
    await userEvent.click(button('Skip…'));
    expect([isOff(button('Skip…')), screen.queryByRole('dialog')]).toEqual([true, null]);
  });
});

describe('replay', () => {
  const field = () => dialog().getByRole<HTMLInputElement>('spinbutton', { name: 'From position' });
  const press = () => userEvent.click(dialog().getByRole('button', { name: 'Replay' }));

  test('goes from 1 unless another position is given', async () => {
    await open({ position: 5 });
    await userEvent.click(button('Replay…'));
    expect([field().value, field().max]).toEqual(['1', '6']);
    expect(document.activeElement).toBe(field());
    await press();
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    await userEvent.click(button('Replay…'));
    await userEvent.clear(field());
    await userEvent.type(field(), '3{Enter}');
    await waitFor(() => expect(spoken()).toContain('query is replayed from position 3.'));
    expect(system.pressed).toEqual(['/subscriptions/query/replay 1', '/subscriptions/query/replay 3']);
  });

  test.each([
    ['checkpointed', /This is safe/],
    ['plain', /processes them again/],
    ['unknown', /If it does not, it processes these events again/],
  ] as const)('says what it does to one that is %s', async (kind, words) => {
    await open({ kind });
    await userEvent.click(button('Replay…'));
    dialog().getByText(words);
  });

  test("a position that the bus refuses is reported at the field, with the bus's rule", async () => {
    await open({ position: 5 });
    await userEvent.click(button('Replay…'));
    await userEvent.clear(field());
    await userEvent.type(field(), '9{Enter}');
    expect((await dialog().findByText('The position must be at most 6.')).id).toBe(
      field().getAttribute('aria-describedby')?.split(' ').at(-1),
    );
    expect(field().getAttribute('aria-invalid')).toBe('true');
    expect(system.pressed).toEqual(['/subscriptions/query/replay 9']);
  });

  test('a diverged one can only be replayed from the start', async () => {
    await open({ position: 5 });
    await userEvent.click(button('Replay…'));
    await userEvent.type(field(), '{Backspace}3');
    system.change('query', { state: 'diverged' });
    await waitFor(() => expect(dialog().queryByRole('spinbutton')).toBeNull());
    await press();
    await waitFor(() => expect(system.pressed).toEqual(['/subscriptions/query/replay 1']));
  });

  test('a failure after its dialog was closed is shown at the buttons', async () => {
    await open({ position: 5 });
    const answer = later<void>();
    system.onAsk = async (method) => {
      if (method === 'GET') return undefined;
      await answer.promise;
      return { status: 503, body: { detail: 'The bus is stopping.' } };
    };
    await userEvent.click(button('Replay…'));
    await press();
    await userEvent.click(dialog().getByRole('button', { name: 'Cancel' }));
    answer.resolve();
    await row().findByText('The bus is stopping.');
  });
});

test('under React’s strict mode, as in the page itself, a question stays until it is answered', async () => {
  const { StrictMode } = await import('react');
  const { render } = await import('@testing-library/react');
  const { Dialog } = await import('../src/system/controls.tsx');
  const onNo = jest.fn();
  const question = { title: 'Sure?', yes: 'Yes', text: '…', error: null, onYes: () => undefined, onNo };
  render(
    <StrictMode>
      <Dialog {...question} />
    </StrictMode>,
  );
  await new Promise((resolve) => setTimeout(resolve));
  expect(onNo).not.toHaveBeenCalled();
  await userEvent.keyboard('{Escape}');
  await waitFor(() => expect(onNo).toHaveBeenCalledTimes(1));
});
