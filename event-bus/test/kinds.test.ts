// The kinds of subscribers: checkpointed, plain, and changes between them.

import { describe, expect, test } from '@jest/globals';
import { startBus, startPart, until } from './bus.ts';
import { checkpointed, json, type Part, plain } from './subscribers.ts';

type Answer = Part['answer'];
const asked =
  (answer: Answer, usual: Answer): Answer =>
  (push, res) =>
    (push.method === 'GET' ? answer : usual)(push, res);

const answers = (status: number): [string, Answer] => [
  `${status}`,
  (_push, res) => void res.writeHead(status).end('Cannot GET /events'),
];

describe('the kind of a subscriber', () => {
  test.each<[string, Answer]>([
    ...[400, 401, 403, 404, 405, 415, 426, 500, 501].map(answers),
    ['a redirect', (_push, res) => void res.writeHead(302, { location: '/elsewhere' }).end()],
    ['200 and more than is read', (_push, res) => void res.end('x'.repeat(100_000))],
    ['204', (_push, res) => void res.writeHead(204).end()],
    ['200 and a page', (_push, res) => void res.end('<p>hello</p>')],
    ['200 and a list', (_push, res) => json(res, 200, [])],
    ['200 and what is no checkpoint', (_push, res) => json(res, 200, { checkpoint: 'yes' })],
  ])('an answer of %s to GET means a plain subscriber', async (_what, answer) => {
    const a = plain();
    const bus = await startBus({ subscriptions: { a: await startPart(asked(answer, a.answer)) } });
    await bus.publish('e1');
    await until(() => expect(a.applied).toEqual(['e1']));
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ kind: 'plain', position: 1, lag: 0 }));
  });

  test.each<[string, Answer]>([
    ...[429, 503].map(answers),
    ['nothing in time', () => {}],
    ['a reset', (_push, res) => void res.destroy()],
  ])('after an answer of %s it is asked again, and nothing is pushed before', async (_what, answer) => {
    const a = checkpointed();
    const part = await startPart(asked(answer, a.answer));
    const bus = await startBus({ subscriptions: { a: part }, deadline: 500 });
    await bus.publish('e1');
    await until(() => expect(part.asked).toBeGreaterThan(2));
    expect(await bus.subscription('a')).toMatchObject({ kind: 'unknown', state: 'retrying', position: 0, lag: 1 });
    expect(part.pushes).toEqual([]);
    part.answer = a.answer;
    await until(() => expect(a.applied).toEqual(['e1']));
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ kind: 'checkpointed', state: 'live' }));
  });

  test('after an answer of 500 a checkpointed one is asked again, and stays checkpointed', async () => {
    const a = checkpointed();
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1');
    await until(() => expect(a.applied).toEqual(['e1']));
    let troubles = 4;
    part.answer = (push, res) => {
      troubles -= 1;
      if (troubles < 0) return a.answer(push, res);
      res.writeHead(500).end();
    };
    await bus.publish('e2');
    await until(() => expect(a.applied).toEqual(['e1', 'e2']));
    expect(part.pushes.every(({ batch }) => batch)).toBe(true);
  });

  test('a replay order waits until the kind is known: one of ours that could not answer takes it later', async () => {
    const a = checkpointed();
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1', 'e2');
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ position: 2 }));
    await bus.control('a', 'pause');
    await bus.control('a', 'replay');
    await bus.stop();
    part.answer = (_push, res) => void res.writeHead(500).end();
    const again = await startBus({ folder: bus.folder, subscriptions: { a: part } });
    await again.control('a', 'resume');
    await until(async () => expect(await again.subscription('a')).toMatchObject({ kind: 'plain', state: 'retrying' }));
    part.answer = a.answer;
    await until(() => expect(a.applied).toEqual(['e1', 'e2', 'e1', 'e2']));
  });

  test('a subscriber is asked again while nothing is sent, and told the head', async () => {
    const a = checkpointed();
    const heads: unknown[] = [];
    const part = await startPart((push, res) => {
      if (push.method === 'GET') heads.push(push.headers['event-head']);
      a.answer(push, res);
    });
    const bus = await startBus({ subscriptions: { a: part } });
    const head = await bus.publish('e1');
    await until(() => expect(heads).toContain(head));
    expect(part.pushes).toHaveLength(1);
  });
});

describe('a part swapped behind the same address', () => {
  test('plain for checkpointed: the new one continues at its own checkpoint', async () => {
    const [a, b] = [plain(), checkpointed()];
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1', 'e2');
    await until(() => expect(a.applied).toEqual(['e1', 'e2']));
    part.answer = b.answer;
    await bus.publish('e3');
    await until(() => expect(b.applied).toEqual(['e1', 'e2', 'e3']));
  });

  test("checkpointed for plain: the new one continues after the old one's position, and its 2xx to a batch does not count", async () => {
    const [a, b] = [checkpointed(), plain()];
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1');
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ position: 1 }));
    part.answer = b.answer;
    await bus.publish('e2', 'e3');
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ kind: 'plain', position: 3 }));
    const oneByOne = part.pushes.filter(({ batch }) => !batch).flatMap(({ events }) => events.map(({ id }) => id));
    expect(oneByOne).toEqual(['e2', 'e3']);
  });

  test('checkpointed for one that only knows POST, and answers the question with 501: it gets what comes', async () => {
    const [a, b] = [checkpointed(), plain()];
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1');
    await until(() => expect(a.applied).toEqual(['e1']));
    part.answer = asked(answers(501)[1], b.answer);
    await bus.publish('e2', 'e3');
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ kind: 'plain', position: 3, lag: 0 }));
  });

  test('is noticed without a new event', async () => {
    const [a, b] = [plain(), checkpointed()];
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1');
    await until(() => expect(a.applied).toEqual(['e1']));
    part.answer = b.answer;
    await until(() => expect(b.applied).toEqual(['e1']));
  });

  test('a plain subscriber with a checkpoint in its answers to pushes stays plain', async () => {
    const a = plain();
    const part = await startPart((push, res) => {
      if (push.method === 'GET') return void res.writeHead(404).end();
      a.applied.push(...push.events.map(({ id }) => id));
      json(res, 200, { checkpoint: '0' });
    });
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1', 'e2');
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ kind: 'plain', position: 2 }));
    expect(a.applied).toEqual(['e1', 'e2']);
  });
});
