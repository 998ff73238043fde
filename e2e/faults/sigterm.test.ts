// Graceful shutdown under load, as in a rolling update: every accepted request is answered, later ones are refused, and
// nothing is left half done.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { answers } from '../../scripts/lib/port-use.ts';
import { check, takeSnapshot, type Write } from '../lib/checker.ts';
import { get, until } from '../lib/http.ts';
import { type System, startSystem } from '../lib/system.ts';
import { writePost, writesOf } from '../lib/writers.ts';

// Windows has no signals: there the runner ends its parts in another way, covered by `npm start`'s own tests.
const onSignals = process.platform === 'win32' ? test.skip : test;

let system: System;
let known: string;
const writes: Write[] = [];
/** The answers besides 201, and the connection errors where there was no answer. */
const refusals = new Set<string>();

beforeAll(async () => {
  system = await startSystem('--production');
  const written = await writePost(system, 'known', 1);
  known = written.id;
  writes.push(...writesOf([written]));
});
afterAll(() => system?.stop());

type Sent = { headers?: Record<string, string>; text: string; held?: (send: () => void) => void };

/**
 * Sends one POST on its own connection, so a missing answer means that it was not accepted. With `held` the body is
 * sent only when told, which may be as soon as the headers were accepted.
 */
async function send(
  url: string,
  { headers, text, held }: Sent,
): Promise<{ answer: IncomingMessage; body: { id?: string } }> {
  const length = String(Buffer.byteLength(text));
  const expect100 = held ? { expect: '100-continue' } : {};
  const sent = request(url, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json', 'content-length': length, ...expect100, ...headers },
  });
  if (held) {
    sent.flushHeaders();
    sent.once('continue', () => held(() => sent.end(text)));
  } else sent.end(text);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  return { answer, body: (await json(answer)) as { id?: string } };
}

/** Sends a write and records its caller's answer. Without a 201 it must not exist, because it is not retried. */
async function write(kind: Write['kind'], url: string, text: string): Promise<void> {
  const made: Write = {
    kind,
    text,
    key: randomUUID(),
    outcome: 'refused',
    postId: kind === 'comment' ? known : undefined,
  };
  const body = JSON.stringify(kind === 'post' ? { title: text } : { content: text });
  try {
    const { answer, body: told } = await send(url, { text: body, headers: { 'idempotency-key': made.key } });
    if (answer.statusCode === 201) Object.assign(made, { outcome: 'acknowledged', id: told.id });
    else refusals.add(`${answer.statusCode}, ${answer.headers['retry-after'] ? 'with' : 'without'} Retry-After`);
  } catch (error) {
    refusals.add(`${(error as NodeJS.ErrnoException).code}`);
  }
  writes.push(made);
}

/** Writers of posts and comments, through the gateway and directly, without a pause until told to stop. */
let count = 0;

function startCrowd() {
  let going = true;
  const addresses = (name: string) => [system.url('client'), system.url(name)];
  const writer = async (kind: Write['kind'], url: string) => {
    while (going) await write(kind, url, `${kind} ${++count}`);
  };
  const writing = [1, 2].flatMap(() => [
    ...addresses('posts').map((url) => writer('post', `${url}/posts`)),
    ...addresses('comments').map((url) => writer('comment', `${url}/posts/${known}/comments`)),
  ]);
  return async () => {
    going = false;
    await Promise.all(writing);
  };
}

const event = (id: string) => JSON.stringify({ type: 'Noted', data: { id } });
const requests = {
  posts: { path: '/posts', text: JSON.stringify({ title: 'accepted by posts' }), status: 201 },
  comments: { path: '/posts/KNOWN/comments', text: JSON.stringify({ content: 'accepted by comments' }), status: 201 },
  query: { path: '/events', text: event('query'), status: 200 },
  moderation: { path: '/events', text: event('moderation'), status: 200 },
  'event-bus': { path: '/events', text: event('bus'), status: 201 },
  client: { path: '/posts', text: JSON.stringify({ title: 'accepted by the gateway' }), status: 201 },
};

onSignals.each(Object.entries(requests))(
  'requests that %s accepted before SIGTERM are answered, and later ones refused, under load',
  async (name, { path, text, status }) => {
    const stop = startCrowd();
    const enough = writes.length + 20;
    await until('some writes', () => writes.length >= enough);
    const pid = (await system.pids()).get(name) as number;
    const url = `${system.url(name)}${path.replace('KNOWN', known)}`;

    let refusedLater = false;
    const { answer, body } = await send(url, {
      text,
      held: async (sendBody) => {
        process.kill(pid, 'SIGTERM');
        const port = system.ports[name] as number;
        refusedLater = await until('nothing new is accepted', async () => !(await answers(port, '127.0.0.1')));
        sendBody();
      },
    });
    expect([answer.statusCode, refusedLater]).toEqual([status, true]);
    if (name === 'posts' || name === 'client')
      writes.push({ kind: 'post', text: JSON.parse(text).title, key: name, outcome: 'acknowledged', id: body.id });
    if (name === 'comments')
      writes.push({
        kind: 'comment',
        text: 'accepted by comments',
        key: name,
        outcome: 'acknowledged',
        id: body.id,
        postId: known,
      });

    await until('a new process', async () => ![undefined, pid].includes((await system.pids()).get(name)));
    await system.ready(name);
    await stop();
  },
);

onSignals(
  'then everything acknowledged is there once, nothing unanswered is there, and every process ended cleanly',
  async () => {
    await system.quiet();
    expect(check(writes, await takeSnapshot(system))).toEqual([]);
    // Of the parts: that they are down. Of the gateway: that a part is.
    const allowed = ['503, with Retry-After', 'ECONNREFUSED', 'ECONNRESET'];
    expect(refusals).toContain('503, with Retry-After');
    expect([...refusals].filter((refusal) => !allowed.includes(refusal))).toEqual([]);
    const ends = system.output().match(/ended (by|with) \S+( \d+)?/g);
    expect(new Set(ends)).toEqual(new Set(['ended with code 0']));
    expect((await get(`${system.url('event-bus')}/subscriptions`)).body).toHaveLength(4);
  },
);
