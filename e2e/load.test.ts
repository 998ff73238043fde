// `npm run load` itself, against a gateway made up for the test: it finds what the blog forgot, doubled, or denied.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { expect, test } from '@jest/globals';
import { runScript } from './lib/script.ts';

type Fault = 'none' | 'forgets' | 'denies' | 'away';

type Ended = Awaited<ReturnType<typeof runScript>>;

/** The routes of the gateway that it uses, with one list in memory. `count` numbers the writes. */
function createBlog(fault: Fault) {
  type Item = { id: string; title: string; seq: number; comments: { id: string; content: string; status: string }[] };
  const posts: Item[] = [];
  let count = 0;
  let awayUntil = 0;
  return createServer(async (req, res) => {
    const reply = (status: number, body: object) => {
      res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    const [, , id, comments] = (req.url ?? '').split('?')[0]?.split('/') ?? [];
    const found = posts.find((post) => post.id === id);
    if (req.method === 'GET' && fault === 'denies' && found) return reply(404, {});
    if (req.method === 'GET' && !id) {
      const { searchParams } = new URL(req.url ?? '', 'http://localhost');
      const [limit, cursor] = [Number(searchParams.get('limit')), searchParams.get('cursor')];
      const newest = posts.toReversed();
      const from = cursor ? newest.findIndex((post) => post.id === cursor) + 1 : 0;
      return reply(200, Object.fromEntries(newest.slice(from, from + limit).map((post) => [post.id, post])));
    }
    if (req.method === 'GET') return found ? reply(200, comments ? found.comments : found) : reply(404, {});
    const { title, content } = (await json(req)) as { title: string; content: string };
    count += 1;
    if (fault === 'away' && count === 10) awayUntil = performance.now() + 700;
    if (performance.now() < awayUntil) return reply(503, { detail: 'Try again.' });
    if (comments) {
      const status = content.includes('orange') ? 'rejected' : 'approved';
      const comment = { id: `c${count}`, content, status };
      found?.comments.push(comment);
      return reply(201, comment);
    }
    const post = { id: `p${count}`, title, seq: count, comments: [] };
    if (fault !== 'forgets' || count > 1) posts.push(post);
    return reply(201, post);
  });
}

async function load(fault: Fault, seconds: string) {
  const server = createBlog(fault).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const done = await runScript('e2e/load.ts', [
    url,
    '--seconds',
    seconds,
    '--writers',
    '4',
    '--rate',
    '80',
    '--lag',
    '0.2',
  ]);
  server.closeAllConnections();
  server.close();
  return done;
}

test('the load finds what a blog forgot or denied, and for how long it took no writes', async () => {
  const runs = [load('none', '1'), load('forgets', '1'), load('denies', '4'), load('away', '2')];
  const [right, forgets, denies, away] = (await Promise.all(runs)) as [Ended, Ended, Ended, Ended];
  expect(right).toMatchObject({ code: 0, output: expect.stringMatching(/8 reads: none/) });
  expect(forgets).toMatchObject({ code: 1, output: expect.stringMatching(/^ +1 {2}posts lost$/m) });
  expect(denies).toMatchObject({ code: 1, output: expect.stringMatching(/^ +\d+ {2}GET \/posts\/:id: 404$/m) });
  expect(away).toMatchObject({ code: 0, output: expect.stringMatching(/^ +\d+ {2}POST .*: 503 Try again\.$/m) });
  expect(Number(/stopped for at most (\d+) ms/.exec(away.output)?.[1])).toBeGreaterThan(500);
});
