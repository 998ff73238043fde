// The query service and its openapi.yaml agree.
import { afterAll } from '@jest/globals';
import { keepsItsContract, takesEvents } from '../../common/test/contract-suite.ts';
import { defined, NO_BUS, newFolder, removeFolders, Service } from '../../common/test/service.ts';
import { query } from '../src/app.ts';
import { comment, post, updated } from './query-service.ts';

afterAll(removeFolders);

keepsItsContract('query', {
  start: (token) => new Service(defined(query), NO_BUS, newFolder(), token).open(),
  path: { id: 'p1' },
  inWords: ({ path }) => path.includes('cursor='),
  async session(ask) {
    await takesEvents('query', ask);
    await ask(404, 'GET', '/posts/p1');
    for (const body of [
      post('p1'),
      post('p2', {}),
      comment('c1', 'p1'),
      comment('c2', 'p1'),
      updated('c1', 'p1', 'approved'),
    ])
      await ask(200, 'POST', '/events', { body });
    await ask(200, 'GET', '/posts?limit=1');
    await ask(400, 'GET', '/posts?limit=0');
    await ask(200, 'GET', '/posts/p1?limit=1');
    await ask(400, 'GET', '/posts/p1?cursor=unknown');
    await ask(200, 'GET', '/stream');
    await ask(400, 'GET', '/stream?after=1&after=2');
  },
});
