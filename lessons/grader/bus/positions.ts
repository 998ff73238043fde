// Step 3: a position for each subscriber. What is away, slow or broken gets everything, in order, and delays no other.
import { type Check, Failed } from '../check.ts';
import { difference, keyOf, listed } from '../events.ts';
import type { Reaction, Subscriber } from '../subscriber.ts';
import { backlog } from './backlog.ts';
import { type Stage, startBus } from './stage.ts';

/**
 * `DELIVERY_TIMEOUT_MS` where a subscriber hangs, in milliseconds: shorter than the wait for something that never comes. On a
 * machine that is slow enough a bus hears no answer in this time, so no other check has it.
 */
const SHORT_TIMEOUT = 2_000;

/** Throws unless a subscriber has first taken these events in this order. */
function assertOrder(sent: string, { name, taken }: Subscriber, keys: string[]): void {
  const wrong = difference(keys, [...new Set(taken)]);
  if (wrong) throw new Failed(sent, `${name} gets ${listed(keys)}, in this order`, wrong.seen, wrong.about);
}

/** Throws if an event was sent before the one in front of it was taken. */
function assertOneByOne(sent: string, { name, deliveries }: Subscriber, keys: string[]): void {
  const early = deliveries.find(({ key, after }) => keys.indexOf(key) > after);
  if (!early) return;
  const before = keys[early.after] as string;
  const expected = `${name} gets ${early.key} only after it has answered ${before} with a 2xx`;
  throw new Failed(sent, expected, `${early.key} was sent before`, [before, early.key]);
}

/** Publishes while the first subscriber is in trouble: the others get everything; then it is mended, and gets everything in order. */
async function survive(stage: Stage, what: string, mend: () => unknown): Promise<void> {
  const keys = await stage.publishAll(stage.posts(stage.run.size('events')));
  const sent = `POST /events ${listed(keys)}, while posts ${what}`;
  await stage.arrive(sent, keys, stage.others);
  await mend();
  const mended = `${sent}; then posts takes everything`;
  await stage.arrive(mended, keys, [stage.first]);
  for (const subscriber of stage.subscribers) {
    assertOneByOne(mended, subscriber, keys);
    assertOrder(mended, subscriber, keys);
  }
}

const trouble = {
  part: 'bus',
  step: 3,
  scene: 'trouble',
  plan: { subscribers: 4, events: 5 },
  short: { subscribers: 2, events: 2 },
  least: { subscribers: 2, events: 1 },
} as const satisfies Partial<Check>;
const TITLE = 'gets everything, in order, and delays no other';

const away: Check = {
  ...trouble,
  name: 'away',
  showsBefore: true,
  title: `a subscriber that is away ${TITLE}`,
  needs: ['others'],
  async run(run) {
    const stage = await startBus(run, { subscribers: run.size('subscribers') });
    await stage.first.goAway();
    await survive(stage, 'is away', () => stage.first.comeBack());
  },
};

/** A subscriber that answers badly, to so many deliveries or more, until it is mended. */
const bad = (name: string, title: string, what: string, reaction: Reaction, times = 2): Check => ({
  ...trouble,
  scene: reaction === 'hang' ? 'hanging' : trouble.scene,
  name,
  title: `${title} ${TITLE}`,
  needs: ['away'],
  async run(run) {
    const timeout = reaction === 'hang' ? SHORT_TIMEOUT : undefined;
    const stage = await startBus(run, { subscribers: run.size('subscribers'), timeout });
    const { first } = stage;
    let isMended = false;
    first.react = () => (isMended ? 200 : reaction);
    await survive(stage, what, async () => {
      await run.until(
        () => first.deliveries.length >= times,
        () => first.deliveries.length,
      );
      isMended = true;
    });
  },
});

const slow: Check = {
  ...trouble,
  name: 'slow',
  title: `a slow subscriber ${TITLE}`,
  needs: ['away'],
  async run(run) {
    const stage = await startBus(run, { subscribers: run.size('subscribers') });
    const answered = Promise.withResolvers<void>();
    stage.first.react = async () => {
      await answered.promise;
      return 200;
    };
    await survive(stage, 'does not answer yet', answered.resolve);
  },
};

const order: Check = {
  name: 'order',
  part: 'bus',
  step: 3,
  scene: 'calm',
  title: 'two publishers at once: every subscriber gets one event at a time, in the order of the log',
  plan: { subscribers: 4, publishers: 2, events: 30 },
  short: { subscribers: 4, publishers: 2, events: 8 },
  least: { subscribers: 1, publishers: 1, events: 2 },
  needs: ['log', 'fan-out'],
  async run(run) {
    const stage = await startBus(run, { subscribers: run.size('subscribers') });
    // Answers take a moment, so that one that comes too early is seen.
    for (const subscriber of stage.subscribers)
      subscriber.react = () => new Promise((resolve) => setTimeout(resolve, 3, 200));
    const publishers = run.size('publishers');
    const shares = Array.from({ length: publishers }, () => stage.posts(run.size('events')));
    await Promise.all(shares.map((share, i) => stage.publishAll(share, `publisher ${i + 1}`)));
    const sent = `POST /events by ${publishers} publishers at once`;
    const log = (await stage.log()).map(keyOf);
    for (const share of shares) {
      const own = share.map(keyOf);
      const wrong = difference(
        own,
        log.filter((key) => own.includes(key)),
      );
      if (wrong)
        throw new Failed(`${sent}; GET /events`, `each publisher's events in its order`, wrong.seen, wrong.about);
    }
    await stage.arrive(sent, log);
    for (const subscriber of stage.subscribers) {
      const { name, mostAtOnce } = subscriber;
      assertOrder(sent, subscriber, log);
      if (mostAtOnce > 1) throw new Failed(sent, `${name} gets one event at a time`, 'several at once');
    }
  },
};

const killedWhileAway: Check = {
  name: 'kill-away',
  scene: 'kill',
  part: 'bus',
  step: 3,
  title: 'the bus is killed while a subscriber is away: it gets everything, and those that have it do not get it again',
  plan: { subscribers: 2, events: 5, kills: 2 },
  short: { subscribers: 2, events: 3, kills: 1 },
  least: { subscribers: 2, events: 3, kills: 1 },
  needs: ['away', 'kill'],
  async run(run) {
    const stage = await startBus(run, { subscribers: run.size('subscribers') });
    await stage.first.goAway();
    const keys: string[] = [];
    for (let kill = 1; kill <= run.size('kills'); kill += 1) {
      keys.push(...(await stage.publishInTurn(stage.posts(run.size('events')), stage.others)));
      await stage.kill();
      await stage.restart();
    }
    const sent = `POST /events ${listed(keys)}, while posts is away; kill -9; started again; posts is back`;
    await stage.first.comeBack();
    await stage.arrive(sent, keys);
    // A later one shows that no more of the earlier ones is on its way.
    keys.push(...(await stage.publishAll(stage.posts(1))));
    await stage.arrive(`${sent}; POST /events ${keys.at(-1)}`, keys);
    assertOrder(sent, stage.first, keys);
    // The last events before a kill may come again: the bus may have died before it had stored the new position.
    const [oldest = ''] = keys;
    const twice = stage.others.find((other) => other.times(oldest) > 1);
    if (twice)
      throw new Failed(
        sent,
        `${twice.name}, which was never away, goes on behind ${listed(keys.slice(0, -1))}`,
        `it got ${oldest} again`,
        [oldest],
      );
  },
};

export const positionChecks = [
  away,
  // More than the five refusals after which an event may be put aside for other reasons.
  bad('refusing', 'a subscriber that answers 503 for a while', 'answers 503', 503, 7),
  bad('resetting', 'a subscriber that resets connections for a while', 'resets each connection', 'reset'),
  bad('hanging', 'a subscriber that hangs, until DELIVERY_TIMEOUT_MS is over,', 'hangs', 'hang'),
  slow,
  order,
  killedWhileAway,
  backlog,
];

/** Step 1 knows this much already. */
export const others: Check = {
  ...trouble,
  name: 'others',
  step: 1,
  title: 'a subscriber that is away keeps neither the publisher nor the other subscribers from going on',
  needs: ['fan-out'],
  async run(run) {
    const stage = await startBus(run, { subscribers: run.size('subscribers') });
    await stage.first.goAway();
    const keys = await stage.publishAll(stage.posts(run.size('events')));
    await stage.arrive(`POST /events ${listed(keys)}, while posts is away`, keys, stage.others);
    await stage.first.comeBack();
  },
};
