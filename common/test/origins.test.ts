// The origins and hosts from which requests are accepted.

import { isLoopback, LOOPBACK, type Origins } from '@blog/common/http/access.ts';
import { createApp } from '@blog/common/http/app.ts';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { Router } from 'express';
import { frameOf, NO_BUS, newFolder, removeFolders, Service } from './service.ts';

let service: Service;
afterEach(() => service.close());
afterAll(removeFolders);

/** A server with one route, which needs no body; its writes are in `rows`. */
const start = async ({ origins, loopback = false }: { origins?: Origins; loopback?: boolean } = {}) => {
  const create: ConstructorParameters<typeof Service>[0]['create'] = ({ db }) => {
    const routes = Router();
    routes.all('/rows', async (req, res) => {
      if (req.method !== 'GET') await db.write((tx) => tx.run('INSERT INTO rows VALUES (?)', req.method));
      res.json({});
    });
    const app = createApp({ ...frameOf(db), routes: [routes], checks: [], origins });
    if (loopback) app.set('allowed hosts', ['blog.example']);
    return { app, loops: [] };
  };
  service = await new Service(
    { migrations: ['CREATE TABLE rows (method TEXT) STRICT'], create },
    NO_BUS,
    newFolder(),
  ).open();
};
const rows = () => service.rows('SELECT method FROM rows');

describe('a body', () => {
  test.each([
    undefined,
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/plain',
    'text/plain; application/json',
    'application/jsonp',
    'text/json',
  ])('declared as %s is 415, even where no body is read', async (type) => {
    await start();
    const sent = service.http.post('/rows').type(type ?? '');
    if (type === undefined) sent.unset('Content-Type');
    const { headers } = await sent.send('{"a":1}').expect(415);
    expect(headers['content-type']).toMatch('application/problem+json');
    expect(await rows()).toEqual([]);
  });

  test.each([
    'application/json',
    'Application/JSON; charset=utf-8',
    'application/cloudevents+json',
    'application/json-patch+json',
  ])('that is %s is accepted', async (type) => {
    await start();
    await service.http.post('/rows').type(type).send('{"a":1}').expect(200);
  });

  test('is not needed', async () => {
    await start();
    await service.http.post('/rows').expect(200);
    await service.http.delete('/rows').type('text/plain').expect(200);
  });
});

describe('a page of another origin', () => {
  const FOREIGN = 'http://evil.example';

  test.each(['POST', 'PUT', 'PATCH', 'DELETE'] as const)(
    'changes nothing by %s, with a body or without',
    async (method) => {
      for (const origins of [undefined, LOOPBACK, ['https://blog.example']]) {
        await start({ origins });
        for (const origin of [
          FOREIGN,
          'null',
          'http://localhost.evil.example',
          'https://blog.example.evil.example',
          '',
        ]) {
          const send = () => service.http[method.toLowerCase() as 'post']('/rows').set('Origin', origin);
          await send().expect(403);
          await send().send({}).expect(403);
        }
        expect(await rows()).toEqual([]);
        await service.close();
      }
      await start();
    },
  );

  test('gets no permission from a preflight', async () => {
    for (const origins of [undefined, LOOPBACK]) {
      await start({ origins });
      const asked = { Origin: FOREIGN, 'Access-Control-Request-Method': 'POST' };
      const { headers } = await service.http.options('/rows').set(asked);
      expect(headers).not.toHaveProperty('access-control-allow-origin');
      await service.close();
    }
    await start();
  });

  test('may send reads, whose answers the browser hides from it', async () => {
    await start();
    const { headers } = await service.http.get('/rows').set('Origin', FOREIGN).expect(200);
    expect(headers).not.toHaveProperty('access-control-allow-origin');
  });

  test.each<[string, Origins | undefined, string, number]>([
    ['loopback', LOOPBACK, 'http://localhost:3000', 200],
    ['loopback', LOOPBACK, 'https://127.0.0.1', 200],
    ['loopback', LOOPBACK, 'http://[::1]:5173', 200],
    ['a list', ['https://blog.example'], 'https://blog.example', 200],
    ['a list', ['https://blog.example'], 'http://blog.example', 403],
    ['a list', ['https://blog.example'], 'http://localhost:3000', 403],
    ['everybody', '*', FOREIGN, 200],
    ['everybody', '*', 'null', 200],
    ['nobody', undefined, 'http://localhost:3000', 403],
  ])('may write if it is one of those set: %s, and %p (%s)', async (_, origins, origin, status) => {
    await start({ origins });
    await service.http.post('/rows').set('Origin', origin).send({}).expect(status);
    expect(await rows()).toHaveLength(status === 200 ? 1 : 0);
  });
});

describe('a server on loopback', () => {
  test.each([
    'evil.example',
    'evil.example:4000',
    'localhost.evil.example',
    'evil.example.localhost.',
    '127.0.0.1.evil.example',
    'localhost:x',
    'localhost.',
    'evil.local',
    'internal.evil.example',
    'host.docker.internal.evil.example',
    '10.0.2.2.evil.example',
    '[10.evil.example]',
    'evilinternal.example',
    'blog.example.evil.example',
    'more.blog.example',
    '',
  ])('does not answer to the name %j: 403 for any request', async (host) => {
    await start({ loopback: true, origins: '*' });
    for (const path of ['/rows', '/healthz', '/readyz', '/nothing']) {
      await service.http.get(path).set('Host', host).expect(403);
    }
    await service.http.post('/rows').set('Host', host).send({}).expect(403);
    await service.http.options('/rows').set('Host', host).expect(403);
    expect(await rows()).toEqual([]);
  });

  test.each([
    'localhost',
    'localhost:4000',
    'LOCALHOST',
    'blog.localhost',
    '127.0.0.1:1',
    '127.1.2.3',
    '[::1]',
    '[::1]:4000',
    'host.docker.internal:4005',
    'host.containers.internal',
    'host.minikube.internal:4005',
    'event-bus-srv:4005',
    'posts_clusterip_srv',
    '10.0.2.2:4005',
    '192.168.0.1',
    '[fe80::1]:4005',
    'Blog.Example:4005',
  ])('answers to the name %s', async (host) => {
    await start({ loopback: true });
    await service.http.post('/rows').set('Host', host).expect(200);
  });

  test('is recognised by its address; any other one answers to every name', async () => {
    for (const host of ['localhost', '127.0.0.1', '127.0.0.53', '::1', '[::1]']) expect(isLoopback(host)).toBe(true);
    for (const host of ['0.0.0.0', '::', '10.1.2.3', 'blog.example', '128.0.0.1']) expect(isLoopback(host)).toBe(false);
    await start({ loopback: false });
    await service.http.post('/rows').set('Host', '10.1.2.3:4000').expect(200);
  });
});
