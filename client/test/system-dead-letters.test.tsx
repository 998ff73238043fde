// The dead letters on the System page, and the actions on them.
import { beforeEach, describe, expect, test } from '@jest/globals';
import { act, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { installDialog } from './dialog.ts';
import { aLetter } from './fake-system.ts';
import { later, openSystem, spoken, system } from './page.tsx';

beforeEach(() => {
  installDialog();
  system.control = true;
});

const list = () => within(screen.getByRole('region', { name: /^Dead letters/ }));
const headings = () => list().queryAllByRole('heading', { level: 4 });
const positions = () =>
  list()
    .queryAllByRole('link')
    .map((link) => link.textContent);
const button = (label: string, position: number) =>
  list().getByRole('button', { name: `${label} CommentCreated at position ${position} for moderation` });
const heading = (count: string) => list().findByRole('heading', { level: 3, name: `Dead letters (${count})` });
const dialog = () => within(screen.getByRole('dialog'));
const reads = () => system.asked.filter((line) => line.startsWith('GET /dead-letters')).length;

async function open(...ids: number[]) {
  system.letters = ids.map((id) => aLetter(id));
  await openSystem();
  await heading(String(ids.length));
}

describe('what is shown', () => {
  test('without any, what they are', async () => {
    await open();
    list().getByText(/^None\. An event that its subscriber refuses five times/);
  });

  test('newest first, each with its subscription, position, reason, time and event', async () => {
    await open(9, 4);
    expect(positions()).toEqual(['Position 9', 'Position 4']);
    const first = within(list().getAllByRole('listitem')[0] as HTMLElement);
    first.getByRole('heading', { name: 'CommentCreated for moderation' });
    first.getByText('answered 422 5 times: It lacks its ids.');
    expect(list().getAllByRole('time')[0]?.getAttribute('datetime')).toBe('2026-01-02T03:04:05.000Z');
    expect(JSON.parse(document.querySelector('.letter pre')?.textContent ?? '')).toEqual(system.letters[0]?.event);
  });

  test('its position links to the event in the log', async () => {
    await open(9);
    await userEvent.click(list().getByRole('link', { name: 'Position 9' }));
    expect(location.pathname + location.search).toBe('/system?event=9');
  });

  test('a text from outside is shown as text', async () => {
    system.letters = [aLetter(1, { reason: '<img src=x onerror=alert(1)>' })];
    await openSystem();
    await list().findByText('<img src=x onerror=alert(1)>');
  });

  test('older ones come on demand, and the focus moves to the first of them', async () => {
    system.lettersOnPage = 2;
    system.letters = [5, 4, 3, 2, 1].map((id) => aLetter(id));
    await openSystem();
    await heading('2 or more');
    await userEvent.click(list().getByRole('button', { name: 'Show older dead letters' }));
    await waitFor(() => expect(positions()).toEqual([5, 4, 3, 2].map((id) => `Position ${id}`)));
    await waitFor(() => expect(document.activeElement).toBe(headings()[2]));
    await userEvent.click(list().getByRole('button', { name: 'Show older dead letters' }));
    await heading('5');
    expect(list().queryByRole('button', { name: 'Show older dead letters' })).toBeNull();
  });

  test('they are read again when the state of a subscription changes, and new ones are announced', async () => {
    await open(4);
    system.letters = [aLetter(5), ...system.letters];
    system.change('moderation', { state: 'retrying' });
    await waitFor(() => expect(positions()).toEqual(['Position 5', 'Position 4']));
    expect(spoken()).toContain('An event was parked: moderation.');
    expect(spoken()?.match(/parked/g)).toHaveLength(1);
  });

  test('they are read again every few seconds', async () => {
    await open();
    const before = reads();
    await waitFor(() => expect(reads()).toBe(before + 1));
  });

  test('while the bus is away the last known ones stay, and nothing can be done', async () => {
    await open(4);
    act(() => system.stopBus());
    await list().findByText(/^These are the last known ones/);
    for (const label of ['Redeliver', 'Discard…']) {
      expect(button(label, 4).getAttribute('aria-disabled')).toBe('true');
      await userEvent.click(button(label, 4));
    }
    expect([positions(), system.pressed, screen.queryByRole('dialog')]).toEqual([['Position 4'], [], null]);
  });

  test('without control there is no button', async () => {
    system.control = false;
    await open(4);
    expect(list().queryAllByRole('button')).toEqual([]);
  });
});

describe('redeliver', () => {
  test('an accepted letter disappears, and the focus moves to the next one, or after the last one to the heading', async () => {
    await open(9, 4);
    await userEvent.click(button('Redeliver', 9));
    await heading('1');
    expect(spoken()).toContain('moderation has taken the event at position 9.');
    await waitFor(() => expect(document.activeElement).toBe(headings()[0]));
    await userEvent.click(button('Redeliver', 4));
    const empty = await heading('0');
    await waitFor(() => expect(document.activeElement).toBe(empty));
    expect(system.pressed).toEqual(['/dead-letters/9/redeliver', '/dead-letters/4/redeliver']);
  });

  test.each([
    [409, 'moderation answered 422 It lacks its ids.', 'moderation answered 422 It lacks its ids.'],
    [503, 'moderation does not answer: connection refused.', 'moderation does not answer: connection refused.'],
  ])('a %i is shown at the letter, which stays', async (status, detail, text) => {
    await open(9, 4);
    system.onAsk = (method) => (method === 'GET' ? undefined : { status, body: { detail } });
    await userEvent.click(button('Redeliver', 4));
    expect((await list().findByRole('alert')).textContent).toBe(text);
    expect(list().getByRole('alert').closest('.letter')?.textContent).toContain('Position 4');
    expect(document.activeElement).toBe(button('Redeliver', 4));
    expect(positions()).toEqual(['Position 9', 'Position 4']);
  });

  test('a letter that is already gone disappears, and the list is read again', async () => {
    await open(9, 4);
    system.letters = [aLetter(10)];
    await userEvent.click(button('Redeliver', 4));
    await waitFor(() => expect(positions()).toEqual(['Position 10']));
    expect(spoken()).toContain('It was already gone.');
  });

  test('once, however often it is pressed', async () => {
    await open(9);
    const answer = later<void>();
    system.onAsk = async (method) => {
      if (method !== 'GET') await answer.promise;
      return undefined;
    };
    await userEvent.dblClick(button('Redeliver', 9));
    await userEvent.click(list().getByRole('button', { name: /^Redelivering…/ }));
    answer.resolve();
    await heading('0');
    expect(system.pressed).toHaveLength(1);
  });
});

describe('discard', () => {
  test('asks first, and no is no', async () => {
    await open(9);
    await userEvent.click(button('Discard…', 9));
    dialog().getByText(/moderation will not get the CommentCreated at position 9/);
    await userEvent.keyboard('{Escape}');
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    expect([document.activeElement, system.pressed]).toEqual([button('Discard…', 9), []]);
  });

  test('a discarded letter disappears for good, and the focus moves on', async () => {
    await open(9, 4);
    await userEvent.click(button('Discard…', 9));
    await userEvent.click(dialog().getByRole('button', { name: 'Discard it' }));
    await heading('1');
    expect(system.pressed).toEqual(['/dead-letters/9']);
    await waitFor(() => expect(document.activeElement).toBe(headings()[0]));
    expect(screen.queryByRole('dialog')).toBeNull();
  });

  test('a failure is shown in the dialog, and the letter stays', async () => {
    await open(9);
    system.onAsk = (method) => (method === 'GET' ? undefined : { status: 503, body: { detail: 'The disk is full.' } });
    await userEvent.click(button('Discard…', 9));
    await userEvent.click(dialog().getByRole('button', { name: 'Discard it' }));
    await dialog().findByText('The disk is full.');
    expect(positions()).toEqual(['Position 9']);
  });
});
