// The comments service and its openapi.yaml agree.
import { afterAll } from '@jest/globals';
import { keepsItsContract, takesEvents } from '../../common/test/contract-suite.ts';
import { refusesStrangers } from '../../common/test/fake-auth.ts';
import { at, FakeBus } from '../../common/test/fake-bus.ts';
import { defined, NO_BUS, newFolder, removeFolders, Service, until } from '../../common/test/service.ts';
import { comments } from '../src/app.ts';
import { postCreated } from './comments-service.ts';

afterAll(removeFolders);

keepsItsContract('comments', {
  async start(token) {
    const service = await new Service(defined(comments), NO_BUS, newFolder(), token).open();
    // With an event in its outbox that it cannot send, the service knows at once that the bus is down, and lets no
    // comment wait.
    const verdict = { type: 'CommentModerated', data: { id: 'c0', postId: 'p0', status: 'approved' } };
    await service.push(verdict).set('Authorization', `Bearer ${token}`).expect(200);
    await until(async () => (await service.degraded()).some((trouble) => trouble.startsWith('Publishing waits')));
    return service;
  },
  path: { id: 'p1' },
  inWords: ({ path }) => path.includes('cursor='),
  async session(ask) {
    await ask(503, 'POST', '/posts/p1/comments', { body: { content: 'Too early' } });
    await takesEvents('comments', ask);
    await ask(200, 'POST', '/events', { body: postCreated('p1') });
    const body = { content: 'Hello' };
    const headers = { 'Idempotency-Key': 'once' };
    await ask(201, 'POST', '/posts/p1/comments', { body, headers });
    await ask(201, 'POST', '/posts/p1/comments', { body, headers });
    await ask(422, 'POST', '/posts/p1/comments', { body: { content: 'Other' }, headers });
    await ask(201, 'POST', '/posts/p1/comments', { body });
    await ask(200, 'GET', '/posts/p1/comments?limit=1');
    await ask(400, 'GET', '/posts/p1/comments?cursor=unknown');

    const strict = (env: Record<string, string>) => new Service(defined(comments, env), NO_BUS, newFolder()).open();
    await refusesStrangers(['/posts/p1/comments'], ask, 'comments', strict);
    const bus = await new FakeBus().open();
    const informed = await new Service(defined(comments), bus.url, newFolder()).open();
    await informed.push([], { after: at(0), upto: at(0) }).expect(200);
    await ask(404, 'POST', `${informed.url}/posts/unknown/comments`, { body });
    await informed.close();
    await bus.close();
  },
});
