// Dead letters: parking, redelivering, discarding.

import { describe, expect, test } from '@jest/globals';
import { type Bus, header, ids, startBus, startPart, until } from './bus.ts';
import { checkpointed, json, type Part, type Push, plain } from './subscribers.ts';

/** Makes a part refuse every push with the event `bad`, as long as `poison.is` is true. */
function poisonous(a: { answer: Part['answer'] }, status = 422) {
  const poison = { is: true };
  const answer: Part['answer'] = (push, res) => {
    if (poison.is && push.events.some(({ id }) => id === 'bad')) return json(res, status, { detail: 'cannot take it' });
    a.answer(push, res);
  };
  return { answer, poison };
}
const holdsBad = ({ events }: Push) => events.some(({ id }) => id === 'bad');
const letters = async (bus: Bus) => (await bus.http.get('/dead-letters').expect(200)).body;

/** A bus whose subscriber refuses `bad`, parked by hand. */
async function parked() {
  const a = checkpointed();
  const { answer, poison } = poisonous(a);
  const part = await startPart(poisonous(a, 500).answer); // parked by nobody else meanwhile
  const bus = await startBus({ subscriptions: { a: part } });
  await bus.publish('e1', 'bad', 'e3');
  const stuck = { position: 1, state: 'retrying' };
  await until(async () => expect(await bus.subscription('a')).toMatchObject(stuck));
  part.answer = answer;
  await bus.control('a', 'skip');
  await until(() => expect(a.applied).toEqual(['e1', 'e3']));
  const [letter] = await letters(bus);
  return { a, bus, part, poison, letter };
}

describe('a poison event', () => {
  test.each([400, 413, 422])('is parked after five answers of %i to it alone, and others go on', async (status) => {
    const a = checkpointed();
    const part = await startPart(poisonous(a, status).answer);
    const bus = await startBus({ subscriptions: { a: part } });
    const last = await bus.publish('e1', 'bad', 'e3');
    await until(() => expect(a.progress.checkpoint).toBe(last));
    expect(a.applied).toEqual(['e1', 'e3']);
    expect(part.pushes.filter((push) => holdsBad(push) && push.events.length === 1)).toHaveLength(5);
    expect(await letters(bus)).toEqual([
      {
        id: expect.any(String),
        subscription: 'a',
        position: 2,
        reason: expect.stringMatching(new RegExp(`${status}.*cannot take it`)),
        parkedAt: expect.stringMatching(/Z$/),
        event: expect.objectContaining({ id: 'bad', data: { id: 'bad' } }),
      },
    ]);
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ state: 'live', lag: 0 }));
  });

  test('has the text of the answer as its reason, of a body in any form', async () => {
    const a = plain();
    const body = '{"detail":[{"loc":["body","id"],"msg":"field required"}]}';
    const part = await startPart((push, res) =>
      holdsBad(push) ? void res.writeHead(422).end(body) : a.answer(push, res),
    );
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('bad');
    const [letter] = await until(async () => {
      const parked = await letters(bus);
      expect(parked).toHaveLength(1);
      return parked;
    });
    expect(letter.reason).toBe(`answered 422 5 times: ${body}`);
  });

  test('is parked for a plain subscriber as well', async () => {
    const a = plain();
    const bus = await startBus({ subscriptions: { a: await startPart(poisonous(a).answer) } });
    await bus.publish('e1', 'bad', 'e3');
    await until(() => expect(a.applied).toEqual(['e1', 'e3']));
    expect(await letters(bus)).toHaveLength(1);
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ position: 3, lag: 0 }));
  });

  test('at the head is passed by an empty batch', async () => {
    const a = checkpointed();
    const part = await startPart(poisonous(a).answer);
    const bus = await startBus({ subscriptions: { a: part } });
    const first = await bus.publish('e1');
    const head = await bus.publish('bad');
    await until(() => expect(a.progress.checkpoint).toBe(head));
    const last = part.pushes.at(-1);
    expect([last?.events, header(last, 'after'), header(last, 'upto')]).toEqual([[], first, head]);
  });

  test("is left out of later pushes, which follow on the subscriber's checkpoint", async () => {
    const { a, bus, part } = await parked();
    const before = part.pushes.length;
    await bus.control('a', 'replay');
    await until(() => expect(a.applied.slice(2)).toEqual(['e1', 'e3']));
    expect(part.pushes.slice(before).some(holdsBad)).toBe(false);
    expect(await letters(bus)).toHaveLength(1);
  });

  test('is parked for that subscription alone', async () => {
    const [a, b] = [checkpointed(), checkpointed()];
    const subscriptions = { a: await startPart(poisonous(a).answer), b: await startPart(b.answer) };
    const bus = await startBus({ subscriptions });
    await bus.publish('bad');
    await until(async () => expect(await letters(bus)).toHaveLength(1));
    expect(b.applied).toEqual(['bad']);
  });

  test('answered with 500 blocks (head-of-line blocking), because it cannot be told from an outage, until a person skips it', async () => {
    const a = checkpointed();
    const part = await startPart(poisonous(a, 500).answer);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1', 'bad', 'e3');
    const alone = () => part.pushes.filter((push) => holdsBad(push) && push.events.length === 1);
    await until(() => expect(alone().length).toBeGreaterThan(5));
    expect([a.applied, await letters(bus)]).toEqual([['e1'], []]);
    expect((await bus.control('a', 'skip')).status).toBe(200);
    await until(() => expect(a.applied).toEqual(['e1', 'e3']));
    expect(await letters(bus)).toMatchObject([{ position: 2, reason: expect.stringMatching(/by hand.*500/) }]);
  });

  test('on which a replay is stuck can be skipped', async () => {
    const a = checkpointed();
    const { answer, poison } = poisonous(a, 500);
    poison.is = false;
    const part = await startPart(answer);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('bad', 'e2', 'e3');
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ position: 3 }));
    poison.is = true;
    await bus.control('a', 'replay');
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ state: 'retrying' }));
    expect((await bus.control('a', 'skip')).status).toBe(200);
    await until(() => expect(a.applied.slice(3)).toEqual(['e2', 'e3']));
    expect(await letters(bus)).toMatchObject([{ position: 1 }]);
  });
});

test('there is nothing to skip when the subscriber has everything', async () => {
  const { bus } = await parked();
  expect((await bus.control('a', 'skip')).status).toBe(409);
});

describe('a dead letter', () => {
  test('that is redelivered goes as a plain delivery that moves no checkpoint, and is gone after a 2xx', async () => {
    const { a, bus, part, poison, letter } = await parked();
    const progress = { ...a.progress };
    poison.is = false;
    await bus.http.post(`/dead-letters/${letter.id}/redeliver`).expect(200, { status: 'OK' });
    expect(a.applied).toEqual(['e1', 'e3', 'bad']);
    const push = part.pushes.at(-1);
    expect(push?.batch).toBe(false);
    expect(push?.headers).toMatchObject({ 'content-type': 'application/json', 'event-head': progress.checkpoint });
    expect([header(push, 'after'), header(push, 'upto')]).toEqual([undefined, undefined]);
    expect(a.progress).toEqual(progress);
    expect(await letters(bus)).toEqual([]);
    await bus.http.post(`/dead-letters/${letter.id}/redeliver`).expect(404);
  });

  test('refused once more stays, and the caller is told', async () => {
    const { bus, letter } = await parked();
    const answer = await bus.http.post(`/dead-letters/${letter.id}/redeliver`).expect(409);
    expect(answer.headers['content-type']).toMatch(/application\/problem\+json/);
    expect(answer.body.detail).toMatch(/422.*cannot take it/);
    expect(await letters(bus)).toEqual([letter]);
  });

  test('that cannot be redelivered because the subscriber is down stays: 503', async () => {
    const { bus, part, letter } = await parked();
    await part.down();
    await bus.http.post(`/dead-letters/${letter.id}/redeliver`).expect(503).expect('retry-after', /\d/);
    expect(await letters(bus)).toEqual([letter]);
  });

  test('that is discarded is gone without a delivery, and its event is pushed again by a replay', async () => {
    const { a, bus, part, poison, letter } = await parked();
    const before = part.pushes.length;
    await bus.http.delete(`/dead-letters/${letter.id}`).expect(204);
    expect([await letters(bus), part.pushes.length]).toEqual([[], before]);
    await bus.http.delete(`/dead-letters/${letter.id}`).expect(404);
    poison.is = false;
    await bus.control('a', 'replay');
    await until(() => expect(a.applied.slice(2)).toEqual(['e1', 'bad', 'e3']));
  });

  test('that was discarded needs five answers to be parked again', async () => {
    const { bus, part, letter } = await parked();
    await bus.http.delete(`/dead-letters/${letter.id}`).expect(204);
    const before = part.pushes.length;
    await bus.control('a', 'replay');
    await until(async () => expect(await letters(bus)).toHaveLength(1));
    expect(part.pushes.slice(before).filter((push) => holdsBad(push) && push.events.length === 1)).toHaveLength(5);
  });

  test('survives a restart of the bus', async () => {
    const { bus, part, letter } = await parked();
    await bus.stop();
    const again = await startBus({ folder: bus.folder, subscriptions: { a: part } });
    expect(await letters(again)).toEqual([letter]);
  });

  test('is on a page limited by the size of its texts', async () => {
    const a = checkpointed();
    const part = await startPart(a.answer);
    part.fail((_push, res) => void res.writeHead(500).end());
    const bus = await startBus({ subscriptions: { a: part } });
    const large = () => bus.http.post('/events').send({ type: 'T', data: 'x'.repeat(250_000) });
    for (const _ of ids('', 10)) await large().expect(201);
    for (const _ of ids('', 10)) expect((await bus.control('a', 'skip')).status).toBe(200);
    const first = await bus.http.get('/dead-letters').expect(200);
    const next = /<([^>]*)>; rel="next"/.exec(first.headers.link ?? '')?.[1] ?? '';
    const second = await bus.http.get(next).expect(200);
    expect([first.body.length, second.body.length, second.headers.link]).toEqual([8, 2, undefined]);
  });

  test('is listed newest first, a page at a time', async () => {
    const a = checkpointed();
    const part = await startPart(a.answer);
    part.fail((_push, res) => void res.writeHead(500).end());
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish(...ids('e', 3));
    for (const _ of ids('', 3)) expect((await bus.control('a', 'skip')).status).toBe(200);
    const first = await bus.http.get('/dead-letters?limit=2').expect(200);
    const positions = (list: { position: number }[]) => list.map(({ position }) => position);
    expect(positions(first.body)).toEqual([3, 2]);
    const next = /<([^>]*)>; rel="next"/.exec(first.headers.link ?? '')?.[1] ?? '';
    const second = await bus.http.get(next).expect(200);
    expect([positions(second.body), second.headers.link]).toEqual([[1], undefined]);
    await bus.http.get('/dead-letters?cursor=x').expect(400);
  });
});
