// The log's stream: Server-Sent Events, resuming and resets.

import { expect, test } from '@jest/globals';
import { type Bus, ids, startBus, until } from './bus.ts';

type Message = { id?: string; event?: string; data?: string };

/** Reads the stream as a browser does; `messages` grows as they arrive. */
async function open(bus: Bus, lastEventId?: string, query = '') {
  const leaving = new AbortController();
  const headers: Record<string, string> = lastEventId ? { 'last-event-id': lastEventId } : {};
  const { body } = await fetch(`${bus.url}/stream${query}`, { headers, signal: leaving.signal });
  const messages: Message[] = [];
  const read = async () => {
    let text = '';
    for await (const chunk of body ?? []) {
      text += Buffer.from(chunk).toString();
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      messages.push(
        ...blocks.map((block) => Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/)))),
      );
    }
  };
  const reading = read().catch(() => {});
  const close = async () => {
    leaving.abort();
    await reading;
  };
  return { messages, close, reading };
}
const idsOf = (messages: Message[]) => messages.map(({ data }) => JSON.parse(data ?? '{}').id);

test('a reader gets the events from now on, each with its position and its checkpoint as the id', async () => {
  const bus = await startBus();
  await bus.publish('before');
  const { messages, close } = await open(bus);
  const checkpoint = await bus.publish('e');
  await until(() => expect(messages).toHaveLength(1));
  expect(messages[0]?.id).toBe(checkpoint);
  expect(JSON.parse(messages[0]?.data ?? '')).toMatchObject({ position: 2, id: 'e', type: 'Tested' });
  await close();
});

test('a reader that comes back with Last-Event-ID misses nothing and gets nothing twice', async () => {
  const bus = await startBus();
  const last = await bus.publish('a');
  await bus.publish(...ids('b', 450));
  const { messages, close } = await open(bus, last);
  await bus.publish('c');
  await until(() => expect(idsOf(messages)).toEqual([...ids('b', 450), 'c']));
  await close();
});

test('a reader that cannot set headers names its position in the query; Last-Event-ID is newer', async () => {
  const bus = await startBus();
  const first = await bus.publish('a');
  const second = await bus.publish('b');
  const named = await open(bus, undefined, `?after=${first}`);
  const reconnected = await open(bus, second, `?after=${first}`);
  await bus.publish('c');
  await until(() => expect(idsOf(named.messages)).toEqual(['b', 'c']));
  await until(() => expect(idsOf(reconnected.messages)).toEqual(['c']));
  await Promise.all([named.close(), reconnected.close()]);
});

/**
 * Reads this many bytes after a position, or up to an event, and cuts the connection. An incomplete message does not
 * count.
 */
async function readPiece(bus: Bus, from: string, by: string, bytes: number, end: number): Promise<Message[]> {
  const [headers, query] = by === 'after' ? [{}, `?after=${from}`] : [{ [by]: from }, ''];
  const { body } = await fetch(`${bus.url}/stream${query}`, { headers });
  let text = '';
  // Leaving the loop closes the connection.
  for await (const chunk of body ?? []) {
    text += Buffer.from(chunk).toString();
    if (text.length >= bytes || text.includes(`"position":${end},`)) break;
  }
  const blocks = text.slice(0, bytes).split('\n\n').slice(0, -1);
  return blocks.map((block) => Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/))));
}

test.each(['Last-Event-ID', 'after'])(
  'a reader whose connection breaks again and again in a burst resumes by %s, misses nothing and gets nothing twice',
  async (by) => {
    const bus = await startBus();
    let last = await bus.publish('e0');
    const burst = async () => {
      for (let batch = 0; batch < 40; batch += 1) await bus.publish(...ids(`${batch}-`, 10));
    };
    const published = burst();
    const seen: Message[] = [];
    for (let i = 0; Number.parseInt(last, 10) < 401; i += 1) {
      seen.push(...(await readPiece(bus, last, by, [100, 1_000, 3_000, 9_000][i % 4] ?? 0, 401)));
      last = seen.at(-1)?.id ?? last;
    }
    await published;
    const places = seen.map(({ data }) => JSON.parse(data ?? '').position);
    expect(places).toEqual(ids('', 400).map((n) => Number(n) + 1));
  },
);

test.each([
  ['of another log', `1-${'0'.repeat(32)}`],
  ['past the head', `99-${'0'.repeat(32)}`],
  ['that is none', 'nonsense'],
])('a reader that names a position %s is told to read the list again, and continues from there', async (_what, id) => {
  const bus = await startBus();
  const head = await bus.publish('a');
  const readers = [await open(bus, id), await open(bus, undefined, `?after=${id}`)];
  const reset = { event: 'reset', id: head, data: '{}' };
  await until(() => expect(readers.map(({ messages }) => messages)).toEqual([[reset], [reset]]));
  await bus.publish('b');
  const seen = [undefined, 'b'];
  await until(() => expect(readers.map(({ messages }) => idsOf(messages))).toEqual([seen, seen]));
  await Promise.all(readers.map(({ close }) => close()));
});

test('a reader that missed more than 10,000 events is told to read the list again', async () => {
  const bus = await startBus();
  const first = await bus.publish('first');
  for (let i = 0; i <= 10; i += 1) await bus.publish(...ids(`${i}-`, 1_000));
  const { messages, close } = await open(bus, first);
  await until(() => expect(messages).toMatchObject([{ event: 'reset' }]));
  await close();
});

test('a bus that stops ends its streams', async () => {
  const bus = await startBus();
  const { reading } = await open(bus);
  await bus.stop();
  await reading;
});
