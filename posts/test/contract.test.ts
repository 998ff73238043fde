// The posts service and its openapi.yaml agree.
import { afterAll } from '@jest/globals';
import { keepsItsContract, takesEvents } from '../../common/test/contract-suite.ts';
import { refusesStrangers } from '../../common/test/fake-auth.ts';
import { defined, NO_BUS, newFolder, removeFolders, Service } from '../../common/test/service.ts';
import { posts } from '../src/app.ts';

afterAll(removeFolders);

keepsItsContract('posts', {
  start: (token) => new Service(defined(posts), NO_BUS, newFolder(), token).open(),
  inWords: ({ path }) => path.includes('cursor='),
  async session(ask) {
    await takesEvents('posts', ask);
    const body = { title: 'Hello' };
    const headers = { 'Idempotency-Key': 'once' };
    await ask(201, 'POST', '/posts', { body, headers });
    await ask(201, 'POST', '/posts', { body, headers });
    await ask(422, 'POST', '/posts', { body: { title: 'Other' }, headers });
    await ask(201, 'POST', '/posts/create', { body });
    await ask(422, 'POST', '/posts/create', { body: { title: 'Other' }, headers });
    await refusesStrangers(['/posts', '/posts/create'], ask, 'posts', (env) =>
      new Service(defined(posts, env), NO_BUS, newFolder()).open(),
    );
    await ask(200, 'GET', '/posts?limit=1');
    await ask(400, 'GET', '/posts?cursor=unknown');
  },
});
