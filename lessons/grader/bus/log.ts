// Step 2: a log on disk, of events only, which survives `kill -9`.
import { type Check, Failed } from '../check.ts';
import { difference, keyOf, listed } from '../events.ts';
import { isSuccess, parseJson, shown } from '../request.ts';
import { startBus } from './stage.ts';

const NO_EVENTS = ['{"type":', 'hello', '', '[]', '"PostCreated"', '42', 'null', '{}', '{"data":{"id":"post-1"}}'];

const inWords = (body: string) =>
  body === '' ? 'an empty body' : `a body that is ${parseJson(body) === undefined ? 'not JSON' : 'no event'}: ${body}`;

const noEvent: Check = {
  name: 'no-event',
  scene: 'calm',
  part: 'bus',
  step: 2,
  title: 'a body that is no event is answered with a 4xx and goes nowhere, and the bus lives on',
  plan: { bodies: NO_EVENTS.length },
  needs: ['fan-out'],
  async run(run) {
    const stage = await startBus(run, { subscribers: 4 });
    for (const body of NO_EVENTS) {
      const told = { text: `POST /events with ${inWords(body)}` };
      const answer = await run.request('publisher', stage.bus, { method: 'POST', path: '/events', body }, told);
      if (answer.status < 400 || answer.status > 499) throw new Failed(told.text, 'a 4xx', shown(answer));
    }
    const [key = ''] = await stage.publishAll(stage.posts(1));
    const sent = `bodies that are no events; POST /events ${key}`;
    await stage.arrive(sent, [key]);
    const isStray = stage.first.deliveries.some((delivery) => delivery.key !== key);
    if (isStray) throw new Failed(sent, `posts gets ${key} only`, 'it also got something that is no event');
  },
};

const readable: Check = {
  name: 'log',
  showsBefore: true,
  scene: 'calm',
  part: 'bus',
  step: 2,
  title: 'GET /events answers all events, in the order in which they were taken',
  plan: { events: 20 },
  short: { events: 3 },
  least: { events: 1 },
  needs: ['fan-out'],
  async run(run) {
    const stage = await startBus(run, { subscribers: 4 });
    const keys = await stage.publishAll(stage.posts(run.size('events')));
    await stage.assertLog(`POST /events ${listed(keys)}`, keys);
  },
};

const survives: Check = {
  name: 'kill',
  scene: 'kill',
  part: 'bus',
  step: 2,
  title: 'an event that was acknowledged is there after kill -9',
  plan: { kills: 4, events: 10 },
  short: { kills: 1, events: 3 },
  least: { kills: 1, events: 1 },
  needs: ['log'],
  async run(run) {
    const stage = await startBus(run);
    const keys: string[] = [];
    for (let kill = 1; kill <= run.size('kills'); kill += 1) {
      keys.push(...(await stage.publishAll(stage.posts(run.size('events')))));
      await stage.kill();
      await stage.restart();
      await stage.assertLog(`POST /events ${listed(keys)}; kill -9 right after the last 2xx; started again`, keys);
    }
  },
};

/** A publication: the times at which it was sent, and acknowledged, if it was. */
type Write = { key: string; sent: number; acknowledged?: number };

const amidst: Check = {
  name: 'kill-amidst',
  scene: 'kill',
  part: 'bus',
  step: 2,
  title: 'killed in the middle of many writes: what was acknowledged is there, once, and in order',
  plan: { kills: 3, writers: 8, events: 40 },
  short: { kills: 1, writers: 4, events: 10 },
  least: { kills: 1, writers: 1, events: 1 },
  needs: ['kill'],
  async run(run) {
    const stage = await startBus(run);
    const writes: Write[] = [];
    for (let kill = 1; kill <= run.size('kills'); kill += 1) {
      const enough = writes.length + run.size('events');
      let isOver = false;
      const write = async (writer: number) => {
        for (let n = 1; !isOver; n += 1) {
          const key = `post-${kill}-${writer}-${n}`;
          const own: Write = { key, sent: performance.now() };
          writes.push(own);
          const answer = await stage.send({ type: 'PostCreated', data: { id: key } }, { as: `publisher ${writer}` });
          if (answer.status === 0) return;
          if (!isSuccess(answer))
            throw new Failed(`POST /events ${key}`, 'any 2xx', `answered ${answer.status}`, [key]);
          own.acknowledged = performance.now();
          run.progress += 1;
        }
      };
      const writers = Promise.all(Array.from({ length: run.size('writers') }, (_, i) => write(i + 1)));
      writers.catch(() => {});
      await run.until(() => writes.length > enough);
      isOver = run.size('writers') === 1;
      await stage.kill();
      isOver = true;
      await writers;
      await stage.restart();
      assertWrites(writes, (await stage.log()).map(keyOf));
    }
  },
};

/** A write without an answer may be there or not; nothing may be there twice, or before one that was acknowledged before it was sent. */
function assertWrites(writes: Write[], log: string[]): void {
  const sent = 'writes of several publishers at once; kill -9; started again; GET /events';
  const known = new Map(writes.map((write) => [write.key, write]));
  const acknowledged = writes.filter((write) => write.acknowledged !== undefined).map(({ key }) => key);
  const there = new Set(log);
  const missing = acknowledged.filter((key) => !there.has(key));
  if (missing.length > 0)
    throw new Failed(sent, 'every event that was acknowledged', `an acknowledged event is missing`, missing);
  const wrong = difference([...there], log);
  if (wrong) throw new Failed(sent, 'each event once', 'an event is there twice', wrong.about);
  const strange = log.filter((key) => !known.has(key));
  if (strange.length > 0) throw new Failed(sent, 'events that were published', 'an event that was not', strange);
  let latest: Write | undefined;
  for (const key of log) {
    const write = known.get(key) as Write;
    if (latest && (write.acknowledged ?? Number.POSITIVE_INFINITY) < latest.sent)
      throw new Failed(sent, 'the order of acknowledgement', 'an event stands behind one that was sent after its 2xx', [
        key,
        latest.key,
      ]);
    if (!latest || write.sent > latest.sent) latest = write;
  }
}

export const logChecks = [noEvent, readable, survives, amidst];
