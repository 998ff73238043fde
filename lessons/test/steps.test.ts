// The steps as a learner meets them: small differences, few imports, a README each; and what the grader does not look at.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { HOST, root } from '../../scripts/lib/part-process.ts';
import { freePorts } from '../../scripts/lib/port-use.ts';
import { until } from '../../scripts/lib/until.ts';
import { createProgram, type Program } from '../runner/processes.ts';
import { STEPS, type Step } from '../steps.ts';

/** Step 8 is written anew. */
const BUILT = STEPS.filter(({ number }) => number < 8);
const PARTS = ['bus', 'posts', 'query'];
const read = (file: string) => readFileSync(join(root, file), 'utf8');

function addedLines(from: Step, to: Step): number {
  const added = PARTS.map((part) => {
    const files = [from, to].map(({ folder }) => join(root, folder, `${part}.ts`));
    const { stdout } = spawnSync('git', ['diff', '--no-index', '--numstat', ...files], { encoding: 'utf8' });
    return Number.parseInt(stdout || '0', 10);
  });
  return added.reduce((sum, count) => sum + count);
}

describe.each(BUILT)('step $number, $title', (step) => {
  const before = STEPS[step.number - 2];
  const folder = step.folder.replace('lessons/', '');

  test('adds at most 60 lines to the step before, as many as lessons/README.md says', () => {
    const added = before ? addedLines(before, step) : 0;
    expect(added).toBeLessThanOrEqual(60);
    expect(read('lessons/README.md')).toMatch(
      new RegExp(`^\\| \\[${step.number} ${step.title}\\]\\(${folder}/README.md\\).* ${added || '–'} \\|$`, 'm'),
    );
  });

  test('needs only Node and Express', () => {
    const imported = PARTS.flatMap((part) => [...read(`${step.folder}/${part}.ts`).matchAll(/ from '([^']+)';$/gm)]);
    expect(imported.map(([, name]) => name).filter((name) => !name?.startsWith('node:') && name !== 'express')).toEqual(
      [],
    );
  });

  test('has a README with its command, its terms, and links to ours and to the next step', () => {
    const text = read(`${step.folder}/README.md`);
    expect(text).toMatch(new RegExp(`^# Step ${step.number}: ${step.title}\n`));
    expect(text).toContain(`\nnpm run lesson -- ${step.number}\n`);
    expect(text).toContain(`\`npm start -- --bus ${step.folder}\``);
    expect(text).toMatch(/^Search for: \w/m);
    expect(text).toMatch(/^\*\*In ours\.\*\* [\s\S]*\]\(\.\.\/\.\.\/[\w./-]+\.ts\)/m);
    expect(text).toContain(`${STEPS[step.number]?.folder.replace('lessons', '..')}/README.md`);
  });
});

/** A subscriber that keeps what it gets. `statuses`: its next answers; then 200. */
async function startSubscriber(...statuses: number[]) {
  const got: { type: string; id?: string }[] = [];
  const server = createServer(async (req, res) => {
    // The page that a redirect leads to; a question for the checkpoint leads nowhere.
    if (req.method !== 'POST') return res.writeHead(req.url === '/elsewhere' ? 200 : 404).end();
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    got.push(JSON.parse(Buffer.concat(chunks).toString()));
    res.writeHead(statuses.shift() ?? 200, { location: '/elsewhere' }).end();
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  ends.push(async () => {
    server.close();
    server.closeAllConnections();
  });
  return { got, url: `http://${HOST}:${(server.address() as AddressInfo).port}/events` };
}

const temporary = mkdtempSync(join(tmpdir(), 'steps '));
const ends: (() => Promise<unknown>)[] = [];
afterEach(() => Promise.all(ends.splice(0).map((end) => end())));
afterAll(() => rmSync(temporary, { recursive: true, maxRetries: 5 }));

/** The program of a step, on a port of its own, which does not run yet. */
async function programOf(step: number, part: string, env: NodeJS.ProcessEnv = {}): Promise<Program> {
  const [port] = (await freePorts(1)) as [number];
  const data = mkdtempSync(join(temporary, `${part} `));
  const program = createProgram(part, `${STEPS[step - 1]?.folder}/${part}.ts`, port, data, env);
  ends.push(program.end);
  return program;
}

async function ask({ port }: Program, path: string, body?: object): Promise<{ status: number; json: unknown }> {
  const headers = { 'content-type': 'application/json', connection: 'close' };
  const options = body && { method: 'POST', body: JSON.stringify(body) };
  const answer = await fetch(`http://${HOST}:${port}${path}`, { ...options, headers });
  return { status: answer.status, json: await answer.json().catch(() => undefined) };
}

const eventsUrl = ({ port }: Program) => `http://${HOST}:${port}/events`;
const post = (id: string) => ({ type: 'PostCreated', data: { id, title: id } });
const shownBy = async (query: Program) => Object.keys((await ask(query, '/posts')).json as object);

test('step 1: a subscriber that is named twice is one subscriber', async () => {
  const [twice, other] = [await startSubscriber(), await startSubscriber()];
  const bus = await programOf(1, 'bus', { SUBSCRIBERS: [twice.url, twice.url, other.url].join(',') });
  await bus.start();
  await ask(bus, '/events', { type: 'First' });
  await ask(bus, '/events', { type: 'Second' });
  await until('the last event is everywhere', () => [twice, other].every(({ got }) => got.length >= 2));
  expect(twice.got.map(({ type }) => type).sort()).toEqual(['First', 'Second']);
});

test('step 2: half a line, left by a crash, is cut off, and the next event is a line of its own', async () => {
  const bus = await programOf(2, 'bus', { SUBSCRIBERS: (await startSubscriber()).url });
  await bus.start();
  await ask(bus, '/events', { type: 'Grüße' });
  await bus.kill();
  appendFileSync(join(bus.folder, 'log.ndjson'), Buffer.from('{"type":"Half ü').subarray(0, -1));
  await bus.start();
  await ask(bus, '/events', { type: 'Next' });
  await bus.kill();
  await bus.start();
  expect((await ask(bus, '/events')).json).toEqual([{ type: 'Grüße' }, { type: 'Next' }]);
});

test('step 2: a query that starts without a bus keeps what it has', async () => {
  const query = await programOf(2, 'query', { EVENT_BUS_URL: `http://${HOST}:1` });
  await query.start();
  await ask(query, '/events', post('a'));
  await query.kill();
  await query.start();
  expect(await shownBy(query)).toEqual(['a']);
});

test('step 3: a redirect is no 2xx', async () => {
  const subscriber = await startSubscriber(302);
  const bus = await programOf(3, 'bus', { SUBSCRIBERS: subscriber.url });
  await bus.start();
  await ask(bus, '/events', { type: 'First' });
  await ask(bus, '/events', { type: 'Second' });
  await until('both events are there', () => subscriber.got.at(-1)?.type === 'Second');
  expect(subscriber.got.map(({ type }) => type)).toEqual(['First', 'First', 'Second']);
});

test('step 4: an event whose handling fails leaves no id behind, so it is handled when it comes again', async () => {
  const query = await programOf(4, 'query');
  await query.start();
  expect(await ask(query, '/events', { id: '1', ...post('a'), data: { id: 'a' } })).toMatchObject({ status: 500 });
  await ask(query, '/events', { id: '1', ...post('a') });
  expect(await shownBy(query)).toEqual(['a']);
});

test('step 5: a post is stored while the bus is away, and its event leaves the outbox once the bus has it', async () => {
  const bus = await programOf(5, 'bus', { SUBSCRIBERS: (await startSubscriber()).url });
  const posts = await programOf(5, 'posts', { EVENT_BUS_URL: `http://${HOST}:${bus.port}` });
  await posts.start();
  const { status, json } = await ask(posts, '/posts', { title: 'a' });
  expect(status).toBe(201);
  const db = new DatabaseSync(join(posts.folder, 'posts.db'));
  const outbox = () => db.prepare('SELECT event FROM outbox').all();
  expect(outbox()).toHaveLength(1);
  await bus.start();
  await until('the outbox is empty', () => outbox().length === 0);
  db.close();
  expect((await ask(bus, '/events')).json).toMatchObject([{ type: 'PostCreated', data: json }]);
});

test('step 6: refusals are counted for one event, not for the one behind it', async () => {
  const subscriber = await startSubscriber(422, 422, 200, 422, 422, 200);
  const bus = await programOf(6, 'bus', { SUBSCRIBERS: subscriber.url });
  await bus.start();
  await ask(bus, '/events', { type: 'First' });
  await ask(bus, '/events', { type: 'Second' });
  await until('both events are taken', () => subscriber.got.length === 6);
  expect((await ask(bus, '/dead-letters')).json).toEqual([]);
});

test('step 7: behind an event that query refused, those that follow join its checkpoint, also once it has lost its database', async () => {
  const query = await programOf(7, 'query');
  const bus = await programOf(7, 'bus', { SUBSCRIBERS: eventsUrl(query) });
  await Promise.all([bus.start(), query.start()]);
  await ask(bus, '/events', post('a'));
  await ask(bus, '/events', { type: 'PostCreated', data: { title: 'no id' } });
  await ask(bus, '/events', post('b'));
  await until('the event behind the refused one is there', async () => (await shownBy(query)).length === 2);
  await query.kill();
  rmSync(query.folder, { recursive: true, maxRetries: 5 });
  mkdirSync(query.folder);
  await query.start();
  // No event comes: the bus asks now and then.
  await until('the read model is built again', async () => (await shownBy(query)).length === 2);
  expect((await ask(bus, '/dead-letters')).json).toMatchObject([{ event: { data: { title: 'no id' } } }]);
  expect(existsSync(join(query.folder, 'query.db'))).toBe(true);
});
