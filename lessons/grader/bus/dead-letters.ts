// Step 6: a poison event is put aside, shown, and can be sent again.
import { type Check, Failed } from '../check.ts';
import { type Event, keyOf, listed } from '../events.ts';
import { isSuccess, shown } from '../request.ts';
import { type Stage, startBus } from './stage.ts';

/** The statuses that say that an event is bad, and the most refusals after which it is put aside. */
const REFUSALS = [400, 413, 422];
const MOST = 5;

type Letter = { id: string | number; event: Event };

async function lettersOf(stage: Stage): Promise<Letter[]> {
  const answer = await stage.run.request('person', stage.bus, { method: 'GET', path: '/dead-letters' });
  if (isSuccess(answer) && Array.isArray(answer.body)) return answer.body;
  throw new Failed('GET /dead-letters', 'a JSON array', isSuccess(answer) ? 'another answer' : shown(answer));
}

/** The entry of an event. @throws Failed if there is none, or it has no id */
async function letterOf(stage: Stage, sent: string, key: string): Promise<Letter> {
  const letters = await lettersOf(stage);
  const found = letters.find((letter) => keyOf(letter?.event) === key);
  const asked = `${sent}; GET /dead-letters`;
  if (!found)
    throw new Failed(asked, `an entry whose event is ${key}`, listed(letters.map((letter) => keyOf(letter?.event))), [
      key,
    ]);
  if (!['string', 'number'].includes(typeof found.id)) throw new Failed(asked, 'an id in each entry', 'none', [key]);
  return found;
}

const redeliver = (stage: Stage, { id }: Letter, key: string) => {
  const path = `/dead-letters/${encodeURIComponent(id)}/redeliver`;
  return stage.run.request(
    'person',
    stage.bus,
    { method: 'POST', path },
    { text: `POST redeliver ${key}`, events: [key] },
  );
};

/** Publishes a poison event, which the first subscriber refuses, and one behind it, which has to come. */
async function poison(stage: Stage, status = 422): Promise<{ sent: string; key: string; behind: string }> {
  const { first, run } = stage;
  const [bad = {}, good = {}] = stage.posts(2);
  const [key, behind] = [keyOf(bad), keyOf(good)];
  const { react } = first;
  first.react = (delivery) => (delivery.key === key ? status : react(delivery));
  await stage.publishAll([bad, good]);
  const sent = `POST /events ${key} and ${behind}; posts answers ${key} with ${status}`;
  await run.until(
    () => first.took(behind) || first.times(key) > MOST,
    () => first.times(key),
  );
  if (first.times(key) > MOST) {
    const seen = `${key} was sent a sixth time`;
    throw new Failed(sent, `after at most five refusals ${key} is put aside, and posts gets ${behind}`, seen, [key]);
  }
  await stage.arrive(sent, [behind], [first]);
  await stage.arrive(sent, [key, behind], stage.others);
  return { sent, key, behind };
}

const parked: Check = {
  name: 'poison',
  showsBefore: true,
  part: 'bus',
  step: 6,
  scene: 'poison',
  title: 'an event that a subscriber refuses with 400, 413 or 422 is put aside and listed, and those behind it come',
  plan: { subscribers: 2, events: 3 },
  short: { subscribers: 2, events: 1 },
  least: { subscribers: 1, events: 1 },
  needs: ['refusing'],
  async run(run) {
    const stage = await startBus(run, { subscribers: run.size('subscribers') });
    for (const status of REFUSALS.toReversed().slice(0, run.size('events'))) {
      const { sent, key } = await poison(stage, status);
      await letterOf(stage, sent, key);
    }
  },
};

const redelivered: Check = {
  name: 'redeliver',
  part: 'bus',
  step: 6,
  scene: 'poison',
  title: 'an entry that is sent again is gone once its subscriber has taken it, stays until then, and goes to no other',
  plan: { subscribers: 2 },
  least: { subscribers: 1 },
  needs: ['poison'],
  async run(run) {
    const stage = await startBus(run, { subscribers: run.size('subscribers') });
    const { first } = stage;
    const { sent, key } = await poison(stage);
    const letter = await letterOf(stage, sent, key);
    const refused = await redeliver(stage, letter, key);
    const once = `${sent}; POST redeliver, which posts refuses again`;
    if (isSuccess(refused)) throw new Failed(once, 'no 2xx', shown(refused), [key]);
    await letterOf(stage, once, key);
    first.react = () => 200;
    const taken = await redeliver(stage, letter, key);
    const again = `${sent}; POST redeliver, which posts takes`;
    if (!isSuccess(taken)) throw new Failed(again, 'any 2xx', shown(taken), [key]);
    await stage.arrive(again, [key], [first]);
    if ((await lettersOf(stage)).some((other) => keyOf(other?.event) === key))
      throw new Failed(`${again}; GET /dead-letters`, `no entry of ${key}`, 'it is still there', [key]);
    const twice = stage.others.find((other) => other.times(key) > 1);
    if (twice) throw new Failed(again, `only posts gets ${key} again`, `${twice.name} got it again, too`, [key]);
  },
};

const failing: Check = {
  name: 'not-poison',
  part: 'bus',
  step: 6,
  scene: 'poison',
  title: 'an event that a subscriber answers with 500 is not put aside, however often',
  plan: { subscribers: 2, tries: 6 },
  short: { subscribers: 2, tries: 6 },
  needs: ['poison'],
  async run(run) {
    const stage = await startBus(run, { subscribers: run.size('subscribers') });
    const { first } = stage;
    const tries = run.size('tries');
    const [bad = {}, good = {}] = stage.posts(2);
    const [key, behind] = [keyOf(bad), keyOf(good)];
    first.react = (delivery) => (delivery.key === key && delivery.time <= tries ? 500 : 200);
    await stage.publishAll([bad, good]);
    const sent = `POST /events ${key} and ${behind}; posts answers ${key} with 500 ${tries} times, then 200`;
    await run.until(
      () => first.took(behind),
      () => first.deliveries.length,
    );
    if (first.took(behind) && !first.took(key))
      throw new Failed(sent, `posts gets ${key} until it takes it`, `it was put aside, and ${behind} came`, [key]);
    await stage.arrive(sent, [key, behind]);
  },
};

const survives: Check = {
  name: 'poison-kill',
  scene: 'kill',
  part: 'bus',
  step: 6,
  title: 'an entry survives kill -9: it is still listed, not sent by itself, and can be sent again',
  plan: { kills: 2 },
  short: { kills: 1 },
  least: { kills: 1 },
  needs: ['redeliver', 'kill-away'],
  async run(run) {
    const stage = await startBus(run);
    const { first } = stage;
    const { sent, key } = await poison(stage);
    const times = first.times(key);
    for (let kill = 1; kill <= run.size('kills'); kill += 1) {
      await stage.kill();
      await stage.restart();
    }
    const killed = `${sent}; kill -9; started again`;
    const letter = await letterOf(stage, killed, key);
    const later = await stage.publishAll(stage.posts(1));
    await stage.arrive(`${killed}; POST /events ${later[0]}`, later);
    if (first.times(key) > times)
      throw new Failed(killed, `posts gets ${later[0]}, and not ${key}`, `${key} was sent by itself`, [key]);
    first.react = () => 200;
    const taken = await redeliver(stage, letter, key);
    if (!isSuccess(taken)) throw new Failed(`${killed}; POST redeliver`, 'any 2xx', shown(taken), [key]);
    await stage.arrive(`${killed}; POST redeliver`, [key]);
  },
};

export const deadLetterChecks = [parked, redelivered, failing, survives];
