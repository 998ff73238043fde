// The blog as readers and writers use it: through the gateway, on the client's port.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { PARTS, SERVICES } from '../common/src/run/parts.ts';
import { get, type Post, pages, post, request, until } from './lib/http.ts';
import { openStream } from './lib/stream.ts';
import { type System, startSystem } from './lib/system.ts';

let system: System;
let gateway: string;
let bus: string;

beforeAll(async () => {
  system = await startSystem();
  gateway = system.url('client');
  bus = system.url('event-bus');
});
afterAll(() => system?.stop());

const createPost = async (title: string): Promise<string> => (await post(`${gateway}/posts`, { title })).body.id;
const comment = async (postId: string, content: string): Promise<string> =>
  (await post(`${gateway}/posts/${postId}/comments`, { content })).body.id;
const shown = async (postId: string): Promise<Post> => (await get(`${gateway}/posts/${postId}`)).body;

/** Runs work whose comments stay pending until it ends. */
async function withoutVerdicts(work: () => Promise<void>): Promise<void> {
  await post(`${bus}/subscriptions/moderation/pause`);
  await work().finally(() => post(`${bus}/subscriptions/moderation/resume`));
}

describe('through the gateway', () => {
  test('a post and its comments appear, each comment with its verdict', async () => {
    const created = await post(`${gateway}/posts`, { title: 'Fruit' });
    expect(created).toMatchObject({ status: 201, body: { id: expect.any(String), title: 'Fruit' } });
    const { id } = created.body;
    expect(created.headers.get('location')).toBe(`/posts/${id}`);
    const good = await post(`${gateway}/posts/${id}/comments`, { content: 'an apple' });
    expect(good).toMatchObject({ status: 201, body: { postId: id, content: 'an apple', status: 'pending' } });
    const bad = await comment(id, 'an ORANGE');

    const statuses = (comments: { id: string; status: string }[]) => comments.map((c) => [c.id, c.status]);
    const verdicts = [
      [good.body.id, 'approved'],
      [bad, 'rejected'],
    ];
    await until('both verdicts', async () => {
      const { comments = [] } = await shown(id);
      return comments.length === 2 && comments.every(({ status }) => status !== 'pending');
    });
    expect(statuses((await shown(id)).comments)).toEqual(verdicts);
    expect(statuses((await get(`${gateway}/posts/${id}/comments`)).body)).toEqual(verdicts);
    expect((await get(`${gateway}/posts`)).body[id]).toMatchObject({ title: 'Fruit', commentCount: 2 });
  });

  test('the classic address /posts/create works, and a list has the newest post first, and a next page', async () => {
    const older = await createPost('older');
    const newer = await post(`${gateway}/posts/create`, { title: 'newer' });
    expect(newer.status).toBe(201);
    await until('both', async () => (await shown(newer.body.id)).id && (await shown(older)).id);
    const ids = (await pages(`${gateway}/posts?limit=1`)).map((page) => Object.keys(page));
    expect(ids.slice(0, 2)).toEqual([[newer.body.id], [older]]);
    expect(ids).toHaveLength(Object.keys((await get(`${gateway}/posts`)).body).length);
  });

  test("the parts and the log can be read, and the bus can be controlled only from the page's own origin", async () => {
    const api = `${gateway}/api/system`;
    const names = (await get(`${api}/subscriptions`)).body.map(({ name }: { name: string }) => name);
    expect(names).toEqual(SERVICES);
    const states = await until('all have answered in time', async () => {
      const lines: string[] = (await get(`${api}/state`)).body.trim().split('\n');
      const states = lines.map((line) => JSON.parse(line));
      return states.every(({ state }) => state !== null) && states;
    });
    expect(states.map(({ name }) => name).sort()).toEqual([...PARTS, 'subscriptions'].sort());
    for (const { name, state } of states)
      if (name !== 'subscriptions') expect(state).toMatchObject({ status: 'ready' });
    const id = await createPost('seen');
    const [event] = await until('its event', async () => {
      const { body } = await get(`${api}/log?subject=${id}`);
      return body.length > 0 && body;
    });
    expect(event).toMatchObject({ type: 'PostCreated', source: 'posts', data: { id, title: 'seen' } });
    await until('four deliveries', async () => {
      return (await get(`${api}/log/${event.position}/deliveries`)).body.length === 4;
    });
    expect(await get(`${api}/dead-letters`)).toMatchObject({ status: 200, body: [] });
    const stream = await openStream(`${api}/log/stream`);
    const next = await createPost('live');
    await until('it in the stream', () => stream.messages.some(({ data }) => data.subject === next));
    await stream.close();

    expect((await post(`${api}/subscriptions/query/replay`)).status).toBe(200);
    const foreign = { origin: 'http://elsewhere.example' };
    expect((await post(`${api}/subscriptions/query/replay`, undefined, foreign)).status).toBe(403);
  });

  test.each(['/events', '/metrics', '/posts/events', '/%65vents', '/api/system/events', '/dead-letters'])(
    'there is no %s',
    async (path) => {
      for (const method of ['GET', 'POST']) {
        const body = method === 'POST' ? { type: 'PostCreated', data: { id: 'forged', title: 'forged' } } : undefined;
        expect((await request(gateway + path, { method, body })).status).toBe(404);
      }
    },
  );

  test('while query is stopped its routes answer 503 with Retry-After, and posts written meanwhile appear later', async () => {
    const known = await createPost('known');
    await system.part('stop query');
    for (const path of ['/posts', `/posts/${known}`, '/stream']) {
      const { status, headers, body } = await get(gateway + path);
      expect({ status, type: headers.get('content-type') }).toEqual({ status: 503, type: 'application/problem+json' });
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      expect(body).toMatchObject({ status: 503, detail: expect.stringContaining('query') });
    }
    const written = await comment(known, 'meanwhile');
    await system.startPart('query');
    await until('it is shown', async () => (await shown(known)).comments?.some(({ id }) => id === written));
  });
});

describe.each(['client', 'query'])('the stream of %s', (part) => {
  test('shows a comment pending and then its verdict', async () => {
    const stream = await openStream(`${system.url(part)}/stream`);
    try {
      const postId = await createPost('watched');
      let id = '';
      await withoutVerdicts(async () => {
        id = await comment(postId, 'an orange');
        await stream.comment(id, 'pending');
      });
      await stream.comment(id, 'rejected');
    } finally {
      await stream.close();
    }
  });

  test('brings the verdict of the 51st comment, which a list has on its next page', async () => {
    const stream = await openStream(`${system.url(part)}/stream`);
    try {
      const postId = await createPost('much discussed');
      const ids: string[] = [];
      await withoutVerdicts(async () => {
        for (let n = 1; n <= 51; n++) ids.push(await comment(postId, n === 51 ? 'an orange' : `comment ${n}`));
        await stream.comment(ids[50] as string, 'pending');
      });
      await stream.comment(ids[50] as string, 'rejected');

      const { headers, body } = await get(`${system.url(part)}/posts/${postId}`);
      expect(body.comments.map(({ id }: { id: string }) => id)).toEqual(ids.slice(0, 50));
      expect(body.commentCount).toBe(51);
      expect(headers.get('link')).toBe(`</posts/${postId}?cursor=${ids[49]}>; rel="next"`);
      const rest = await get(`${system.url(part)}/posts/${postId}?cursor=${ids[49]}`);
      expect(rest.body.comments).toMatchObject([{ id: ids[50], status: 'rejected' }]);
      expect(rest.headers.get('link')).toBeNull();
    } finally {
      await stream.close();
    }
  });
});

describe('a classic client on another origin', () => {
  const origin = 'http://localhost:5173';
  const allowed = ({ headers }: { headers: Headers }) => headers.get('access-control-allow-origin');

  test('writes and reads on the ports of posts, comments and query, after a preflight', async () => {
    const preflight = async (url: string) => {
      const asked = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' };
      const answer = await request(url, { method: 'OPTIONS', headers: { origin, ...asked } });
      expect({ status: answer.status, origin: allowed(answer) }).toEqual({ status: 204, origin });
      expect(answer.headers.get('access-control-allow-methods')).toContain('POST');
      expect(answer.headers.get('access-control-allow-headers')).toContain('content-type');
    };
    await preflight(`${system.url('posts')}/posts`);
    const created = await post(`${system.url('posts')}/posts`, { title: 'from elsewhere' }, { origin });
    expect({ status: created.status, origin: allowed(created) }).toEqual({ status: 201, origin });
    const comments = `${system.url('comments')}/posts/${created.body.id}/comments`;
    await preflight(comments);
    const commented = await post(comments, { content: 'me too' }, { origin });
    expect({ status: commented.status, origin: allowed(commented) }).toEqual({ status: 201, origin });
    const list = await until('it is shown', async () => {
      const answer = await get(`${system.url('query')}/posts`, { origin });
      return answer.body[created.body.id]?.comments.length === 1 && answer;
    });
    expect(allowed(list)).toBe(origin);
  });

  test('may access neither the bus nor moderation', async () => {
    expect(allowed(await get(`${bus}/events?limit=1`, { origin }))).toBeNull();
    expect(allowed(await get(`${system.url('moderation')}/readyz`, { origin }))).toBeNull();
  });
});
