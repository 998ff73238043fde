// The posts service and its openapi.yaml agree.

import { LOOPBACK } from '@blog/common/http/access.ts';
import { afterAll } from '@jest/globals';
import { keepsItsContract, takesEvents } from '../../common/test/contract-suite.ts';
import { NO_BUS, newFolder, removeFolders, Service } from '../../common/test/service.ts';
import { createPosts } from '../src/app.ts';
import { migrations } from '../src/schema.ts';

const create = (part: Omit<Parameters<typeof createPosts>[0], 'origins'>) =>
  createPosts({ ...part, origins: LOOPBACK });

afterAll(removeFolders);

keepsItsContract('posts', {
  start: (token) => new Service({ migrations, create }, NO_BUS, newFolder(), token).open(),
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
    await ask(200, 'GET', '/posts?limit=1');
    await ask(400, 'GET', '/posts?cursor=unknown');
  },
});
