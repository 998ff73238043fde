// Step 7: a subscriber says up to where it has the log, and its word counts.
import { type Check, Failed } from '../check.ts';
import { difference, keyOf, listed } from '../events.ts';
import { WAITED } from '../program.ts';
import { type Stage, startBus } from './stage.ts';

const CHECKPOINT = /^(0|(\d{1,15})-[0-9a-f]{32})$/;

const headers: Check = {
  name: 'headers',
  part: 'bus',
  step: 7,
  scene: 'calm',
  title: 'each delivery says which part of the log it is: event-upto, and event-after, which joins the one before',
  plan: { subscribers: 4, events: 5 },
  short: { subscribers: 4, events: 3 },
  least: { subscribers: 1, events: 2 },
  needs: ['order'],
  async run(run) {
    const stage = await startBus(run, { subscribers: run.size('subscribers') });
    const keys = await stage.publishAll(stage.posts(run.size('events')));
    const sent = `POST /events ${listed(keys)}`;
    await stage.arrive(sent, keys);
    for (const { name, deliveries } of stage.subscribers) {
      let last: string | undefined;
      for (const { key, headers } of deliveries) {
        for (const header of ['event-after', 'event-upto']) {
          const value = headers[header];
          if (typeof value === 'string' && CHECKPOINT.test(value)) continue;
          const seen = value === undefined ? 'no such header' : 'another form';
          throw new Failed(sent, `${header}: POSITION-32 hex digits with ${key}`, `${seen} at ${name}`, [key]);
        }
        const after = String(headers['event-after']);
        const upto = String(headers['event-upto']);
        if (last !== undefined && after !== last)
          throw new Failed(sent, `event-after of ${key} is the event-upto before it`, `another one at ${name}`, [key]);
        if (Number.parseInt(after, 10) >= Number.parseInt(upto, 10))
          throw new Failed(sent, `event-upto of ${key} lies behind its event-after`, `it does not at ${name}`, [key]);
        last = upto;
      }
    }
  },
};

/** Loses everything that the first subscriber has. */
function lose(stage: Stage): void {
  const { first, run } = stage;
  run.recorder.event('note', first.name, 'loses its database');
  first.forget();
  first.checkpoint = '0';
}

function assertAll(stage: Stage, sent: string, keys: string[]): void {
  const wrong = difference(keys, [...new Set(stage.first.taken)]);
  if (wrong) throw new Failed(sent, `posts gets ${listed(keys)}, in this order`, wrong.seen, wrong.about);
}

const lost: Check = {
  name: 'lost',
  showsBefore: true,
  scene: 'checkpoint',
  part: 'bus',
  step: 7,
  title: 'a subscriber that says its checkpoint, and has lost its database, gets everything from the beginning',
  plan: { events: 10, subscribers: 2 },
  short: { events: 3, subscribers: 2 },
  least: { events: 1, subscribers: 1 },
  needs: ['headers', 'away'],
  async run(run) {
    const stage = await startBus(run, { subscribers: run.size('subscribers'), isCheckpointed: true });
    const { first } = stage;
    const keys = await stage.publishAll(stage.posts(run.size('events')));
    await stage.arrive(`POST /events ${listed(keys)}`, keys);
    await first.goAway();
    keys.push(...(await stage.publishAll(stage.posts(1))));
    await stage.arrive(`POST /events ${listed(keys)}`, keys, stage.others);
    lose(stage);
    await first.comeBack();
    const sent = `POST /events ${listed(keys)}; posts goes away before the last one, and comes back with the checkpoint 0`;
    await stage.arrive(sent, keys);
    assertAll(stage, sent, keys);
    const again = stage.others.find((other) => other.times(keys[0] as string) > 1);
    if (again) throw new Failed(sent, 'only posts gets everything again', `${again.name} does, too`, keys.slice(0, 1));
  },
};

const lostAtStart: Check = {
  name: 'lost-start',
  showsBefore: true,
  scene: 'checkpoint',
  part: 'bus',
  step: 7,
  title: 'the bus asks for the checkpoint at its start: one that has lost its database meanwhile gets everything',
  plan: { events: 10 },
  short: { events: 3 },
  least: { events: 1 },
  needs: ['headers', 'kill'],
  async run(run) {
    const stage = await startBus(run, { isCheckpointed: true });
    const keys = await stage.publishAll(stage.posts(run.size('events')));
    await stage.arrive(`POST /events ${listed(keys)}`, keys);
    await stage.kill();
    lose(stage);
    await stage.restart();
    const sent = `POST /events ${listed(keys)}; kill -9; posts loses its database; started again`;
    await stage.arrive(sent, keys);
    assertAll(stage, sent, keys);
  },
};

const ahead: Check = {
  name: 'ahead',
  scene: 'checkpoint',
  part: 'bus',
  step: 7,
  title: "a subscriber whose checkpoint is ahead of the bus's own position is not sent what it has",
  plan: { kills: 3 },
  short: { kills: 1 },
  least: { kills: 1 },
  needs: ['headers', 'between'],
  async run(run) {
    const stage = await startBus(run, { isCheckpointed: true });
    const { first } = stage;
    for (let kill = 1; kill <= run.size('kills'); kill += 1) {
      const [event = {}] = stage.posts(1);
      const key = keyOf(event);
      // It stores the effect with its checkpoint; the answer is lost.
      first.react = (delivery) => {
        if (delivery.key !== key) return 200;
        const upto = delivery.headers['event-upto'];
        if (typeof upto === 'string') first.checkpoint = upto;
        return 'hang';
      };
      await stage.publish(event);
      const sent = `POST /events ${key}; posts stores it with its checkpoint; kill -9 before its answer; started again`;
      if (!(await run.until(() => first.times(key) > 0)))
        throw new Failed(sent, `posts gets ${key} ${WAITED}`, 'posts got nothing', [key]);
      await stage.kill();
      await stage.restart();
      const later = await stage.publishAll(stage.posts(1));
      await run.until(() => later.every((one) => first.took(one)) || first.times(key) > 1);
      if (first.times(key) > 1)
        throw new Failed(sent, `posts, which says that it has ${key}, does not get it again`, `it got ${key} again`, [
          key,
        ]);
      await stage.arrive(`${sent}; POST /events ${later[0]}`, later);
    }
  },
};

/** Answers to the question for a checkpoint that are none. */
const NO_CHECKPOINTS = [
  { status: 200, text: 'hello' },
  { status: 200, text: '{"checkpoint":7}' },
  { status: 404, text: '' },
];

const plain: Check = {
  name: 'plain',
  scene: 'kill',
  part: 'bus',
  step: 7,
  title: "to a subscriber that answers the question with anything else, the bus's own position counts",
  plan: { answers: 3, events: 3 },
  short: { answers: 1, events: 3 },
  least: { answers: 1, events: 3 },
  needs: ['headers', 'kill-away'],
  async run(run) {
    const stage = await startBus(run);
    const { first } = stage;
    const keys: string[] = [];
    for (const answer of NO_CHECKPOINTS.slice(0, run.size('answers'))) {
      first.answer = answer;
      keys.push(...(await stage.publishInTurn(stage.posts(run.size('events')))));
      await stage.kill();
      await stage.restart();
      keys.push(...(await stage.publishAll(stage.posts(1))));
      const sent = `POST /events ${listed(keys)}; posts answers GET with ${answer.status} ${answer.text}; kill -9; started again`;
      await stage.arrive(sent, keys);
      const [oldest = ''] = keys;
      if (first.times(oldest) > 1)
        throw new Failed(sent, 'posts goes on where it was', `it got ${oldest} again`, [oldest]);
    }
  },
};

export const replayChecks = [headers, lost, lostAtStart, ahead, plain];
