// Step 1: fan-out.
import { isDeepStrictEqual } from 'node:util';
import { type Check, Failed } from '../check.ts';
import { type Event, keyOf, listed } from '../events.ts';
import { WAITED } from '../program.ts';
import { isSuccess, shown } from '../request.ts';
import { startBus } from './stage.ts';

const fanOut: Check = {
  name: 'fan-out',
  scene: 'calm',
  part: 'bus',
  step: 1,
  title: 'an event is answered with a 2xx, and every subscriber gets it',
  plan: { subscribers: 4, events: 20 },
  short: { subscribers: 4, events: 4 },
  least: { subscribers: 1, events: 1 },
  async run(run) {
    const stage = await startBus(run, { subscribers: run.size('subscribers') });
    const keys = await stage.publishAll(stage.posts(run.size('events')));
    await stage.arrive(`POST /events ${listed(keys)}`, keys);
  },
};

const atOnce: Check = {
  name: 'at-once',
  scene: 'calm',
  part: 'bus',
  step: 1,
  title: 'events that are published at the same moment all arrive',
  plan: { subscribers: 4, events: 50 },
  short: { subscribers: 4, events: 10 },
  least: { subscribers: 1, events: 2 },
  needs: ['fan-out'],
  async run(run) {
    const stage = await startBus(run, { subscribers: run.size('subscribers') });
    const events = stage.posts(run.size('events'));
    await Promise.all(events.map((event) => stage.publish(event)));
    const keys = events.map(keyOf);
    await stage.arrive(`POST /events ${listed(keys)}, all at once`, keys);
  },
};

/** Events whose odd parts must come out as they went in. */
const ODD: [what: string, event: (given: Event) => Event][] = [
  ['a text in other scripts, with an emoji', (given) => withData(given, { title: 'Zażółć gęślą jaźń · 你好 · 👩‍💻' })],
  ['quotes, a backslash and line breaks', (given) => withData(given, { title: '"a"\\n\n\t\u2028\u0001' })],
  [
    'null, false, numbers, an empty list and an object in it',
    (given) => withData(given, { none: null, no: false, n: [0, -1.5, 1e21, []], o: { '': {} } }),
  ],
  ['fields that the contract does not name', (given) => ({ ...given, tags: ['a', 'b'], draft: true })],
  ['data that is a text', (given) => ({ ...given, data: 'text' })],
  ['no data', ({ type }) => ({ type })],
  ['60 KB of text', (given) => withData(given, { title: 'long '.repeat(12_000) })],
];

const withData = (event: Event, more: object): Event => ({ ...event, data: { ...(event.data as object), ...more } });

/** True if a delivered event has all that was sent; a bus may add fields. */
const has = (delivered: unknown, sent: Event): boolean =>
  Object.entries(sent).every(([name, value]) => isDeepStrictEqual((delivered as Event | null)?.[name], value));

const unchanged: Check = {
  name: 'unchanged',
  scene: 'calm',
  part: 'bus',
  step: 1,
  title: 'unicode, odd values, unknown fields and a large text come out as they went in',
  plan: { events: ODD.length },
  needs: ['fan-out'],
  async run(run) {
    const stage = await startBus(run, { subscribers: 4 });
    for (const [what, change] of ODD) {
      const event = change(stage.posts(1)[0] as Event);
      const sent = `POST /events with ${what}`;
      const before = stage.first.deliveries.length;
      const answer = await stage.send(event);
      if (!isSuccess(answer)) throw new Failed(sent, 'any 2xx', shown(answer), [keyOf(event)]);
      if (!(await run.until(() => stage.first.deliveries.length > before)))
        throw new Failed(sent, `posts gets it ${WAITED}`, 'it did not come', [keyOf(event)]);
      const delivered = stage.first.deliveries.at(before)?.event;
      const wrong = Object.keys(event).filter((name) => !has(delivered, { [name]: event[name] }));
      if (wrong.length > 0)
        throw new Failed(sent, 'the same JSON', `another value of ${wrong.join(' and ')}`, [keyOf(event)]);
    }
  },
};

export const fanOutChecks = [fanOut, atOnce, unchanged];
