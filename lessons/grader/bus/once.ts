// Step 4: ids, by which an event that comes twice is recognised.
import { type Check, Failed } from '../check.ts';
import { type Event, keyOf, listed, postWithId } from '../events.ts';
import { WAITED } from '../program.ts';
import { type Stage, startBus } from './stage.ts';

/** Throws unless the log has an event once, and no subscriber got it again, after a later event has arrived everywhere. */
async function assertOnce(stage: Stage, sent: string, event: Event): Promise<void> {
  const key = keyOf(event);
  const [later = ''] = await stage.publishAll(stage.posts(1, postWithId));
  const all = `${sent}; POST /events ${later}`;
  await stage.assertLog(all, [key, later]);
  await stage.arrive(all, [key, later]);
  const again = stage.subscribers.find((subscriber) => subscriber.times(key) > 1);
  if (again) throw new Failed(all, `${again.name} gets ${key} once`, `it got ${key} again`, [key]);
}

const ids: Check = {
  name: 'ids',
  part: 'bus',
  step: 4,
  scene: 'calm',
  title: 'every event has an id in the log, the same in each delivery, also when it is repeated',
  plan: { subscribers: 4, events: 10 },
  short: { subscribers: 4, events: 3 },
  least: { subscribers: 1, events: 1 },
  needs: ['log', 'away'],
  async run(run) {
    const stage = await startBus(run, { subscribers: run.size('subscribers') });
    stage.first.react = ({ time }) => (time === 1 ? 503 : 200);
    const keys = await stage.publishAll([...stage.posts(run.size('events')), ...stage.posts(1, postWithId)]);
    const own = `event-${keys.at(-1)?.slice('post-'.length)}`;
    const sent = `POST /events ${listed(keys)}, the last one with the id ${own}; posts answers each with 503, then 200`;
    await stage.arrive(sent, keys);
    const log = await stage.assertLog(sent, keys);
    const without = log.find(({ id }) => typeof id !== 'string' || id === '');
    if (without)
      throw new Failed(`${sent}; GET /events`, 'an id in each event', `${keyOf(without)} has none`, [keyOf(without)]);
    if (new Set(log.map(({ id }) => id)).size < log.length)
      throw new Failed(`${sent}; GET /events`, 'a different id in each event', 'two events have the same id');
    if (log.at(-1)?.id !== own)
      throw new Failed(`${sent}; GET /events`, `the id ${own}, as the publisher gave it`, 'another id', keys.slice(-1));
    const idOf = new Map(log.map((event) => [keyOf(event), event.id]));
    for (const { name, deliveries } of stage.subscribers) {
      const other = deliveries.find(({ key, event }) => event.id !== idOf.get(key));
      if (!other) continue;
      const seen = `${other.event.id === undefined ? 'no id' : 'another id'} in delivery ${other.time} of ${other.key}`;
      throw new Failed(sent, `${name} gets each event with the id of the log`, seen, [other.key]);
    }
  },
};

const twice: Check = {
  name: 'twice',
  showsBefore: true,
  part: 'bus',
  step: 4,
  scene: 'calm',
  title: 'an event that is published twice is answered with a 2xx twice, stored once and sent once',
  plan: { subscribers: 4 },
  least: { subscribers: 1 },
  needs: ['log'],
  async run(run) {
    const stage = await startBus(run, { subscribers: run.size('subscribers') });
    const [event = {}] = stage.posts(1, postWithId);
    const keys = await stage.publishAll([event, event]);
    await assertOnce(stage, `POST /events ${keys.join(', then ')} again, with the same id`, event);
  },
};

const twiceAtOnce: Check = {
  name: 'twice-at-once',
  part: 'bus',
  step: 4,
  scene: 'calm',
  title: 'an event that two publishers publish at the same moment is stored once and sent once',
  plan: { subscribers: 4, publishers: 8 },
  short: { subscribers: 4, publishers: 2 },
  least: { subscribers: 1, publishers: 2 },
  needs: ['twice'],
  async run(run) {
    const stage = await startBus(run, { subscribers: run.size('subscribers') });
    const [event = {}] = stage.posts(1, postWithId);
    const publishers = Array.from({ length: run.size('publishers') }, (_, i) => `publisher ${i + 1}`);
    await Promise.all(publishers.map((as) => stage.publish(event, { as })));
    await assertOnce(stage, `POST /events ${keyOf(event)} by ${publishers.length} publishers at once`, event);
  },
};

const twiceAfterRestart: Check = {
  name: 'twice-restart',
  scene: 'kill',
  part: 'bus',
  step: 4,
  title: 'an event that is published again after kill -9 is recognised, with the id that it brought or was given',
  plan: { events: 5, kills: 2 },
  short: { events: 1, kills: 1 },
  least: { events: 1, kills: 1 },
  needs: ['twice', 'kill'],
  async run(run) {
    const stage = await startBus(run);
    const events = stage.posts(run.size('events'), postWithId);
    const keys = await stage.publishAll(events);
    await stage.publishAll(stage.posts(1));
    const log = await stage.log();
    // The last one has its id from the bus; a reader of the log may bring it back.
    const given = log.at(-1) as Event;
    for (let kill = 1; kill <= run.size('kills'); kill += 1) {
      await stage.kill();
      await stage.restart();
      await stage.publishAll([...events, { id: given.id, type: given.type, data: given.data }]);
      const sent = `POST /events ${listed(keys)}; kill -9; started again; the same events again`;
      await stage.assertLog(sent, log.map(keyOf));
    }
  },
};

const between: Check = {
  name: 'between',
  scene: 'kill',
  part: 'bus',
  step: 4,
  title: 'killed between a delivery and its answer, the bus sends the event again, with the same id',
  plan: { events: 3, kills: 3 },
  short: { events: 1, kills: 1 },
  least: { events: 1, kills: 1 },
  needs: ['ids', 'kill'],
  async run(run) {
    const stage = await startBus(run);
    const { first } = stage;
    for (let kill = 1; kill <= run.size('kills'); kill += 1) {
      await stage.publishAll(stage.posts(run.size('events') - 1));
      const [key = ''] = stage.posts(1).map(keyOf);
      first.react = (delivery) => (delivery.key === key && delivery.time === 1 ? 'hang' : 200);
      await stage.publish({ type: 'PostCreated', data: { id: key } });
      const sent = `POST /events ${key}; kill -9 while posts has it and has not answered; started again`;
      if (!(await run.until(() => first.times(key) > 0)))
        throw new Failed(sent, `posts gets ${key} ${WAITED}`, 'posts got nothing', [key]);
      await stage.kill();
      await stage.restart();
      await stage.arrive(sent, [key]);
      const [one, two] = first.deliveries.filter((delivery) => delivery.key === key);
      if (one?.event.id !== two?.event.id)
        throw new Failed(sent, `${key} comes again with the same id`, 'it came with another id', [key]);
    }
  },
};

export const onceChecks = [ids, twice, twiceAtOnce, twiceAfterRestart, between];
