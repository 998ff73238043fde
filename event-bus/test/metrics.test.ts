// The metrics of the bus.

import { expect, test } from '@jest/globals';
import { Scrape } from '../../common/test/scrape.ts';
import { BATCH, type Bus, cloudEvent, post, startBus, startPart, until } from './bus.ts';
import { checkpointed, json, type Part, plain } from './subscribers.ts';

/** The values of these metrics of a subscription, in this order. */
async function of(bus: Bus, subscription: string, ...names: string[]): Promise<(number | undefined)[]> {
  const metrics = await Scrape.of(bus.url);
  return names.map((name) => metrics.value(name, { subscription }));
}
/** Long enough that no answer is too late, because failures are counted here. */
const deadline = 20_000;
const anHourAgo = { time: new Date(Date.now() - 3_600_000).toISOString() };

test('an event is counted by type when it is new in the log, and for each subscription that got it', async () => {
  const subscriptions = { a: await startPart(checkpointed().answer), b: await startPart(plain().answer) };
  const bus = await startBus({ subscriptions, deadline });
  const batch = [cloudEvent('p', { type: 'PostCreated' }), cloudEvent('x'), cloudEvent('y')];
  await post(bus, batch, BATCH).expect(201);
  await post(bus, [cloudEvent('y'), cloudEvent('z')], BATCH).expect(201);
  await post(bus, [cloudEvent('new'), cloudEvent('z', { data: 'other' })], BATCH).expect(409);
  await until(async () => {
    for (const name of ['a', 'b'])
      expect(await of(bus, name, 'events_delivered_total', 'subscription_lag_events')).toEqual([4, 0]);
  });
  const metrics = await Scrape.of(bus.url);
  const published = ['PostCreated', 'CommentCreated', 'other'].map((type) =>
    metrics.value('events_published_total', { type }),
  );
  expect(published).toEqual([1, 0, 3]);
  expect(metrics.value('log_events')).toBe(4);
  expect(metrics.value('push_events_sum')).toBe(8);
  // One for each push to the first, one for each event to the other.
  expect(metrics.value('push_events_count')).toBe(subscriptions.a.pushes.length + 4);
});

test('undelivered events are lag, in events and in seconds since the first one, and failures are counted', async () => {
  const part = await startPart(checkpointed().answer);
  const bus = await startBus({ subscriptions: { a: part }, deadline });
  await until(async () => expect(await of(bus, 'a', 'subscription_lag_events')).toEqual([0]));
  part.fail((_, res) => json(res, 500, {}));
  await post(bus, [cloudEvent('e1', anHourAgo), cloudEvent('e2')], BATCH).expect(201);
  await until(() => expect(part.pushes.length).toBeGreaterThan(1));
  const lagging = ['subscription_lag_events', 'subscription_lag_seconds'];
  const [lag, seconds, delivered] = await of(bus, 'a', ...lagging, 'events_delivered_total');
  expect([lag, Math.floor((seconds ?? 0) / 60), delivered]).toEqual([2, 60, 0]);
  await bus.control('a', 'pause');
  expect(await of(bus, 'a', 'delivery_failures_total')).toEqual([part.pushes.length]);
});

test('a subscription is in one of its states', async () => {
  const part = await startPart(checkpointed().answer);
  const bus = await startBus({ subscriptions: { a: part } });
  const states = async () => {
    const { samples } = await Scrape.of(bus.url);
    const all = samples.filter(({ name }) => name === 'subscription_state');
    expect(all.map(({ labels }) => labels.state)).toEqual([
      'starting',
      'live',
      'retrying',
      'paused',
      'diverged',
      'gone',
    ]);
    return all.filter(({ value }) => value === 1).map(({ labels }) => labels.state);
  };
  await until(async () => expect(await states()).toEqual(['live']));
  await bus.control('a', 'pause');
  expect(await states()).toEqual(['paused']);
  await bus.control('a', 'resume');
  part.fail((_, res) => json(res, 500, {}));
  await bus.publish('e1');
  await until(async () => expect(await states()).toEqual(['retrying']));
});

test('a poison event is counted as parked, and is a dead letter until it is redelivered or discarded', async () => {
  const poison = { is: true };
  const usual = checkpointed().answer;
  const answer: Part['answer'] = (push, res) => {
    const bad = poison.is && push.events.some(({ id }) => id.startsWith('bad'));
    if (bad) json(res, 422, {});
    else usual(push, res);
  };
  const part = await startPart(answer);
  const bus = await startBus({ subscriptions: { a: part, b: await startPart(plain().answer) } });
  const counted = () => of(bus, 'a', 'events_parked_total', 'dead_letters', 'events_delivered_total');
  await bus.publish('e1', 'bad1', 'bad2');
  await until(async () => expect(await counted()).toEqual([2, 2, 1]));
  expect(await of(bus, 'b', 'events_parked_total', 'dead_letters')).toEqual([0, 0]);
  // A letter that is discarded before it was passed is pushed again.
  await until(async () => expect(await bus.subscription('a')).toMatchObject({ position: 3 }));

  const [newer, older] = (await bus.http.get('/dead-letters').expect(200)).body;
  await bus.http.delete(`/dead-letters/${newer.id}`).expect(204);
  expect(await counted()).toEqual([2, 1, 1]);
  await bus.http.post(`/dead-letters/${older.id}/redeliver`).expect(409);
  expect(await counted()).toEqual([2, 1, 1]);
  poison.is = false;
  await bus.http.post(`/dead-letters/${older.id}/redeliver`).expect(200);
  expect(await counted()).toEqual([2, 0, 2]);
});
