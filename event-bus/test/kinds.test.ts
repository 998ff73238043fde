import { describe, expect, test } from '@jest/globals';
import { startBus, startPart, until } from './bus.ts';
import { checkpointed, json, type Part, plain } from './subscribers.ts';

type Answer = Part['answer'];
const asked =
  (answer: Answer, usual: Answer): Answer =>
  (push, res) =>
    (push.method === 'GET' ? answer : usual)(push, res);

describe('who is there', () => {
  test.each<[string, Answer]>([
    ['404', (_push, res) => void res.writeHead(404).end('Cannot GET /events')],
    ['405', (_push, res) => void res.writeHead(405).end()],
    ['204', (_push, res) => void res.writeHead(204).end()],
    ['200 and a page', (_push, res) => void res.end('<p>hello</p>')],
    ['200 and a list', (_push, res) => json(res, 200, [])],
    ['200 and what is no checkpoint', (_push, res) => json(res, 200, { checkpoint: 'yes' })],
  ])('an answer of %s to the question means a plain subscriber', async (_what, answer) => {
    const a = plain();
    const bus = await startBus({ subscriptions: { a: await startPart(asked(answer, a.answer)) } });
    await bus.publish('e1');
    await until(() => expect(a.applied).toEqual(['e1']));
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ kind: 'plain', position: 1, lag: 0 }));
  });

  test.each<[string, Answer]>([
    ['500', (_push, res) => void res.writeHead(500).end()],
    ['a redirect', (_push, res) => void res.writeHead(302, { location: '/elsewhere' }).end()],
    ['401', (_push, res) => void res.writeHead(401).end()],
    ['nothing in time', () => {}],
  ])('after an answer of %s it is asked again, and nothing is pushed before it has said', async (_what, answer) => {
    const a = checkpointed();
    const part = await startPart(asked(answer, a.answer));
    const bus = await startBus({ subscriptions: { a: part }, deadline: 200 });
    await bus.publish('e1');
    await until(() => expect(part.asked).toBeGreaterThan(2));
    expect(await bus.subscription('a')).toMatchObject({ kind: 'unknown', state: 'retrying', position: 0, lag: 1 });
    expect(part.pushes).toEqual([]);
    part.answer = a.answer;
    await until(() => expect(a.applied).toEqual(['e1']));
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ kind: 'checkpointed', state: 'live' }));
  });

  test('a question is answered without a new event: it is asked again while nothing is sent, and told the head', async () => {
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
  test('plain for checkpointed: the new one goes on where it says that it stands', async () => {
    const [a, b] = [plain(), checkpointed()];
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1', 'e2');
    await until(() => expect(a.applied).toEqual(['e1', 'e2']));
    part.answer = b.answer;
    await bus.publish('e3');
    await until(() => expect(b.applied).toEqual(['e1', 'e2', 'e3']));
  });

  test('checkpointed for plain: the new one goes on behind what the old one had, and its 2xx to a batch does not count', async () => {
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

  test('is noticed without a new event', async () => {
    const [a, b] = [plain(), checkpointed()];
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1');
    await until(() => expect(a.applied).toEqual(['e1']));
    part.answer = b.answer;
    await until(() => expect(b.applied).toEqual(['e1']));
  });

  test('a plain subscriber that mentions a checkpoint in its answers is plain all the same', async () => {
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
