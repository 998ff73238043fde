// `npm run load -- URL`: writes to a running blog through its gateway and reads it, while you scale, update or kill its
// parts. Prints the answers that were not the wanted ones, and the longest time without an acknowledged write; at the end
// compares the acknowledged writes with the read model. Exit code 0: nothing is lost, doubled or wrong, and no answer
// denied what was there; 1: something is; 2: wrong usage.
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { localUrl } from '@blog/common/run/parts.ts';
import { optionsOrUsage } from '../scripts/lib/usage.ts';
import { type Answer, get, type Post, request } from './lib/http.ts';

const USAGE = `Usage: npm run load -- [URL] [--seconds 30] [--writers 16] [--rate 40] [--lag 5]      (${localUrl('client')})
--rate: writes a second of all writers together; the gateway admits 50 from one address
--lag: seconds after which a reader must see a write`;
/** The last writes have this many times the lag for all their effects. */
const PATIENCE = 6;
/** A gap between two acknowledgements that is worth a line, in milliseconds. */
const GAP = 500;
/** One request may take this long, in milliseconds. */
const WITHIN = 10_000;
/** The number of times that each list is read at the end, so that each copy answers one. */
const READS = 8;
const COMMENTS = 2;

function parseOptions() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '30' },
      writers: { type: 'string', default: '16' },
      rate: { type: 'string', default: '40' },
      lag: { type: 'string', default: '5' },
    },
  });
  const [given = localUrl('client'), ...more] = positionals;
  if (more.length > 0) throw new Error('Only one URL can be written to.');
  if (!URL.canParse(given) || !/^https?:$/.test(new URL(given).protocol))
    throw new Error(`${given} is not a URL like http://localhost:3000.`);
  const numbers = [values.seconds, values.writers, values.rate, values.lag].map(Number);
  const [seconds, writers, rate, lag] = numbers as [number, number, number, number];
  if (!(seconds > 0 && rate > 0 && lag > 0)) throw new Error('--seconds, --rate and --lag must be numbers above 0.');
  if (!(Number.isInteger(writers) && writers > 0)) throw new Error('--writers must be a whole number above 0.');
  return { origin: new URL(given).origin, seconds, writers, rate, lag: lag * 1000 };
}

const { origin, seconds, writers, rate, lag } = optionsOrUsage(parseOptions, USAGE);

type Written = { id: string; title: string; at: number; comments: { id: string; content: string }[] };
const run = randomUUID().slice(0, 8);
const written: Written[] = [];
const start = performance.now();
const end = start + seconds * 1000;

const count = (counts: Map<string, number>, what: string) => counts.set(what, (counts.get(what) ?? 0) + 1);
const refusals = new Map<string, number>();
const misses = new Map<string, number>();
const times: number[] = [];
let acknowledged = 0;
let last = start;
let longest = 0;

const since = (at: number) => `${((at - start) / 1000).toFixed(1)} s`;

function noteAcknowledged(from: number): void {
  const now = performance.now();
  const gap = now - last;
  if (acknowledged > 0 && gap > GAP) console.log(`${since(last)}: no write for ${Math.round(gap)} ms`);
  if (acknowledged > 0) longest = Math.max(longest, gap);
  last = now;
  acknowledged += 1;
  times.push(now - from);
}

const reasonOf = (error: Error & { cause?: NodeJS.ErrnoException }) =>
  error.cause?.code ?? error.cause?.message ?? error.message;

/** Sends a write with the same key until it is acknowledged, or until the end; the rate limit (429) is no refusal. */
async function write(path: string, body: object): Promise<Answer['body']> {
  const headers = { 'idempotency-key': randomUUID() };
  const what = path === '/posts' ? 'POST /posts' : 'POST /posts/:id/comments';
  const from = performance.now();
  for (;;) {
    const sent = { method: 'POST', body, headers, within: WITHIN };
    const answer = await request(origin + path, sent).catch(reasonOf);
    if (typeof answer === 'string') count(refusals, `${what}: ${answer}`);
    else if (answer.status === 201) {
      noteAcknowledged(from);
      return answer.body;
    } else if (answer.status !== 429) {
      const isLater = answer.status >= 500;
      count(isLater ? refusals : misses, `${what}: ${answer.status} ${answer.body?.detail ?? ''}`);
    }
    if (performance.now() > end + WITHIN) return undefined;
    await pause(100);
  }
}

/** Posts with comments, one after the other, so that all writers together keep the rate. */
async function startWriter(writer: number): Promise<void> {
  const interval = (writers / rate) * 1000;
  await pause(Math.random() * interval);
  for (let n = 0; performance.now() < end; n++) {
    const title = `Load ${run}: post ${n} of writer ${writer}`;
    const made = await write('/posts', { title });
    if (!made) return;
    const comments: Written['comments'] = [];
    for (let m = 0; m < COMMENTS; m++) {
      await pause(interval);
      const content = `Load ${run}: comment ${m} on post ${n} of writer ${writer}${m === 0 ? '' : ', orange'}`;
      const comment = await write(`/posts/${made.id}/comments`, { content });
      if (comment) comments.push({ id: comment.id, content });
    }
    written.push({ id: made.id, title, at: performance.now(), comments });
    await pause(interval);
  }
}

/** Reads posts that were written some seconds ago: each copy that answers must have them. */
async function startReader(): Promise<void> {
  while (performance.now() < end) {
    await pause(25);
    const old = written.filter(({ at }) => at < performance.now() - lag);
    const one = old[Math.floor(Math.random() * old.length)];
    if (!one) continue;
    const answers = await Promise.all([
      get(`${origin}/posts/${one.id}`),
      get(`${origin}/posts/${one.id}/comments`),
      get(`${origin}/posts?limit=1`),
    ]).catch((error) => {
      count(refusals, `GET: ${reasonOf(error)}`);
      return [];
    });
    for (const [index, { status, body }] of answers.entries()) {
      const what = ['GET /posts/:id', 'GET /posts/:id/comments', 'GET /posts'][index] as string;
      if (status === 503) count(refusals, `${what}: 503 ${body?.detail}`);
      else if (status !== 200) count(misses, `${what}: ${status}`);
      else if (index < 2 && (index === 0 ? body.comments : body).length < one.comments.length)
        count(misses, `${what}: comments are missing`);
      else if (index === 2 && Object.keys(body).length === 0) count(misses, `${what}: empty`);
    }
  }
}

console.log(`${writers} writers write to ${origin} for ${seconds} s …`);
await Promise.all([...Array.from({ length: writers }, (_, index) => startWriter(index)), startReader(), startReader()]);

/** The differences between what was acknowledged and one answer of the read model, by kind. */
function compare(list: Post[]): Map<string, number> {
  const found = new Map<string, number>();
  const ours = list.filter(({ title }) => title.startsWith(`Load ${run}: `));
  const byId = new Map(ours.map((one) => [one.id, one]));
  const titles = new Set(ours.map(({ title }) => title));
  for (let n = titles.size; n < ours.length; n++) count(found, 'posts doubled');
  for (const { id, title, comments } of written) {
    const shown = byId.get(id);
    if (shown?.title !== title) count(found, shown ? 'posts wrong' : 'posts lost');
    if (!shown) continue;
    const contents = shown.comments.map(({ content }) => content);
    for (let n = new Set(contents).size; n < contents.length; n++) count(found, 'comments doubled');
    for (const { id, content } of comments) {
      const comment = shown.comments.find((one) => one.id === id);
      const status = content.includes('orange') ? 'rejected' : 'approved';
      if (!comment) count(found, 'comments lost');
      else if (comment.status === 'pending') count(found, 'comments pending');
      else if (comment.content !== content || comment.status !== status) count(found, 'comments wrong');
    }
  }
  return found;
}

/** The newest posts, as many as were written; a list may take its pages from several copies. */
async function readBack(): Promise<Map<string, number>> {
  const list: Post[] = [];
  for (let cursor = ''; ; ) {
    const { status, body } = await get(`${origin}/posts?limit=200${cursor && `&cursor=${cursor}`}`);
    if (status !== 200) return new Map([[`GET /posts: ${status}`, 1]]);
    const page = (Object.values(body) as Post[]).sort((a, b) => b.seq - a.seq);
    list.push(...page);
    cursor = page.at(-1)?.id ?? '';
    if (page.length < 200 || list.length > written.length * 2) return compare(list);
  }
}

let right = 0;
let found = new Map<string, number>();
for (const until = performance.now() + PATIENCE * lag; right < READS && performance.now() < until; ) {
  found = await readBack().catch((error) => new Map([[`GET /posts: ${reasonOf(error)}`, 1]]));
  right = found.size === 0 ? right + 1 : 0;
  if (right === 0) await pause(250);
}

const print = (title: string, counts: Map<string, number>) => {
  console.log(`${title}${counts.size === 0 ? ': none' : ''}`);
  for (const [what, number] of [...counts].sort(([, a], [, b]) => b - a))
    console.log(`${String(number).padStart(6)}  ${what}`);
};
const at = (share: number) => Math.round(times.toSorted((a, b) => a - b)[Math.floor(times.length * share)] ?? 0);
console.log(`\n${acknowledged} writes acknowledged, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
console.log(`writes stopped for at most ${Math.round(longest)} ms`);
print('answered otherwise, and sent again', refusals);
print(`answered as if it were not there (after ${lag / 1000} s)`, misses);
print(`wrong at the end, in ${READS} reads`, found);
process.exitCode = found.size === 0 && misses.size === 0 && acknowledged > 0 ? 0 : 1;
