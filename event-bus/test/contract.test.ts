// The bus and its openapi.yaml agree.

import { expect } from '@jest/globals';
import fc from 'fast-check';
import { keepsItsContract } from '../../common/test/contract-suite.ts';
import { BATCH, cloudEvent, EVENT, header, startBus, startPart, until } from './bus.ts';
import { json, type Part, plain } from './subscribers.ts';

let subscriber: Part;

keepsItsContract('event-bus', {
  async start(token) {
    subscriber = await startPart(plain().answer);
    // Found by a pattern, so that it can be forgotten.
    const patterns = [{ name: 'part-*', url: subscriber.url.replace('127.0.0.1', 'part-*.localhost') }];
    const dns = { knows: async (host: string) => host === 'part-0.localhost', every: 50 };
    const bus = await startBus({ patterns, dns, token });
    await bus.db.write((tx) => tx.run("INSERT INTO subscriptions (name) VALUES ('old')"));
    for (const name of ['part-0', 'old']) await until(async () => expect(await bus.subscription(name)).toBeDefined());
    return { ...bus, close: bus.stop };
  },
  path: { name: 'part-0' },
  known: { name: fc.constantFrom('part-0', 'nobody'), from: fc.constant(1) },
  inWords: ({ path }) => /cursor=|after=\d+&before=/.test(path),
  async session(ask, running) {
    const position = async (id: string) => (await ask(201, 'POST', '/events', { body: cloudEvent(id) })).json.position;
    await ask(201, 'POST', '/events', { body: { type: 'Hello' } });
    await ask(201, 'POST', '/events', { body: cloudEvent('a'), headers: { 'content-type': EVENT } });
    await ask(201, 'POST', '/events', { body: [cloudEvent('a'), cloudEvent('b')], headers: { 'content-type': BATCH } });
    await ask(409, 'POST', '/events', { body: cloudEvent('a', { data: 'other' }) });
    await ask(412, 'POST', '/events', { body: cloudEvent('c'), headers: { 'event-published': `1-${'a'.repeat(32)}` } });
    await until(async () => expect((await ask(200, 'GET', '/events/1/deliveries')).json.length === 1).toBe(true));
    await ask(400, 'GET', '/events/0/deliveries');
    await ask(200, 'GET', '/events?before=3&limit=1&type=Tested&subject=a');
    await ask(400, 'GET', '/events?after=1&before=3');
    await ask(200, 'GET', '/log/verify');
    await ask(200, 'GET', '/stream');
    await ask(400, 'GET', '/stream?after=');

    await ask(200, 'GET', '/subscriptions');
    for (const command of ['pause', 'resume', 'replay']) {
      await ask(200, 'POST', `/subscriptions/part-0/${command}`);
      await ask(404, 'POST', `/subscriptions/nobody/${command}`);
    }
    await ask(404, 'POST', '/subscriptions/nobody/skip');
    await ask(409, 'DELETE', '/subscriptions/part-0');
    await ask(404, 'DELETE', '/subscriptions/nobody');
    await ask(204, 'DELETE', '/subscriptions/old');
    await ask(400, 'POST', '/subscriptions/part-0/replay', { body: { from: 100 } });
    await until(async () => expect((await ask(200, 'GET', '/subscriptions')).json[0].lag === 0).toBe(true));
    await ask(409, 'POST', '/subscriptions/part-0/skip');

    subscriber.fail((_, res) => json(res, 500, {}));
    for (const id of ['x', 'y', 'z']) {
      await position(id);
      await ask(200, 'POST', '/subscriptions/part-0/skip');
    }
    const letters = (await ask(200, 'GET', '/dead-letters?limit=2')).json;
    await ask(400, 'GET', '/dead-letters?cursor=unknown');
    await ask(409, 'POST', `/dead-letters/${letters[0].id}/redeliver`);
    subscriber.fail((_, res) => res.destroy());
    await ask(503, 'POST', `/dead-letters/${letters[0].id}/redeliver`);
    subscriber.answer = plain().answer;
    await ask(200, 'POST', `/dead-letters/${letters[0].id}/redeliver`);
    await ask(404, 'POST', `/dead-letters/${letters[0].id}/redeliver`);
    await ask(400, 'POST', '/dead-letters/x/redeliver');
    await ask(204, 'DELETE', `/dead-letters/${letters[1].id}`);
    await ask(404, 'DELETE', `/dead-letters/${letters[1].id}`);
    await ask(400, 'DELETE', '/dead-letters/x');

    const { db } = running;
    const locked = Object.assign(new Error('database is locked'), { code: 'ERR_SQLITE_ERROR', errcode: 5 });
    Object.assign(db, { read: () => Promise.reject(locked) });
    await ask(503, 'GET', '/log/verify');
    Reflect.deleteProperty(db, 'read');

    // From now on there is an event to skip, and a dead letter that would be accepted.
    subscriber.answer = (push, res) => (header(push, 'after') ? json(res, 500, {}) : plain().answer(push, res));
    await position('stuck');
  },
});
