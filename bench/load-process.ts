// The process of the load generator: runs the load of its argument, reports the result, and on request every write.
import { BATCH, createEvent, PLAIN } from '../common/src/core/events.ts';
import type { Write } from '../e2e/lib/checker.ts';
import { idOf } from '../e2e/lib/http.ts';
import { Connection } from './connection.ts';
import { type Ended, type Load, now, percentile } from './load.ts';

/** A client's pause after a refusal, in milliseconds; without one it would be an attack. */
const PAUSE = 100;
const COMMENTS_A_POST = 4;

process.once('disconnect', () => process.exit());
const load: Load = JSON.parse(process.argv[2] as string);
const times: number[] = [];
const writes: Write[] = [];
const refused: Ended['refused'] = {};
const began = now();
const before = process.cpuUsage();
const end = performance.now() + load.ms;
const goesOn = () => performance.now() < end;

/** Sends one request; undefined if it was refused or not answered. */
async function ask(connection: Connection, wanted: number, method: string, path: string, body?: object, type = PLAIN) {
  const before = performance.now();
  const answer = await connection.request(method, path, body && JSON.stringify(body), type).catch(() => undefined);
  times.push(performance.now() - before);
  if (answer?.status === wanted) return answer.body;
  const status = answer?.status ?? 0;
  refused[status] = (refused[status] ?? 0) + 1;
  await new Promise((resolve) => setTimeout(resolve, PAUSE));
}

async function writePost(posts: Connection, text: string): Promise<string | undefined> {
  const answer = await ask(posts, 201, 'POST', '/posts', { title: text });
  if (!answer) return;
  const { id } = JSON.parse(answer.toString());
  writes.push({ kind: 'post', id, text, key: id, outcome: 'acknowledged' });
  return id;
}

/** Writes a comment; one in five has the banned word. */
async function writeComment(comments: Connection, postId: string, name: string, number: number): Promise<void> {
  const text = `comment ${number} on ${name}${number % 5 === 0 ? ', with orange' : ''}`;
  const answer = await ask(comments, 201, 'POST', `/posts/${postId}/comments`, { content: text });
  if (!answer) return;
  const id = idOf(JSON.parse(answer.toString()), text);
  writes.push({ kind: 'comment', id, postId, text, key: id, outcome: 'acknowledged' });
}

/** The event of a comment; `name` and `number` make its id unique. */
function eventOf(name: string, number: number) {
  const data = { id: `${name} ${number}`, postId: name, content: `comment ${number}, as long as people write them` };
  return createEvent('bench', 'CommentCreated', { ...data, status: 'pending' });
}

/** Runs one client until the time is over. */
async function run(client: number): Promise<void> {
  if (load.kind === 'reads') {
    const { origin, pathname } = new URL(load.url);
    for (const queries = new Connection(origin); goesOn(); ) await ask(queries, 200, 'GET', pathname);
    return;
  }
  if (load.kind === 'events') {
    const { url, name, batch } = load;
    const bus = new Connection(url);
    for (let n = 0; goesOn(); n += batch) {
      const events = Array.from({ length: batch }, (_, i) => eventOf(`${name} ${client}`, n + i));
      await (batch === 1
        ? ask(bus, 201, 'POST', '/events', events[0])
        : ask(bus, 201, 'POST', '/events', events, BATCH));
    }
    return;
  }
  const comments = new Connection(load.comments);
  if (load.kind === 'comments') {
    for (let n = client; goesOn(); n += load.concurrency)
      await writeComment(comments, load.postIds[n % load.postIds.length] as string, `c${load.concurrency}`, n);
    return;
  }
  const posts = new Connection(load.posts);
  for (let n = 0, number = client; goesOn(); n++) {
    const name = `${load.name} post ${n} of client ${client}`;
    const id = await writePost(posts, name);
    for (let left = COMMENTS_A_POST; id && left > 0 && goesOn(); left--, number++)
      await writeComment(comments, id, name, number);
  }
}

await Promise.all(Array.from({ length: load.concurrency }, (_, client) => run(client)));
const { user, system } = process.cpuUsage(before);
process.send?.({
  requests: times.length,
  posts: writes.filter(({ kind }) => kind === 'post').length,
  comments: writes.filter(({ kind }) => kind === 'comment').length,
  refused,
  p50: percentile(times, 50),
  p99: percentile(times, 99),
  began,
  ended: now(),
  cost: (user + system) / times.length,
} satisfies Ended);
process.on('message', () => process.send?.(writes));
