// Starts copies of the bus on a quorum, for tests: in this process, or as processes that can be killed and stopped.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import request from 'supertest';
import { freePorts } from '../../scripts/lib/port-use.ts';
import { cloudEvent, EVENT, until } from './bus.ts';

const main = join(import.meta.dirname, '../src/main.ts');

/** A folder for the data of one copy. */
export const newData = () => mkdtempSync(join(tmpdir(), 'bus copy '));

type Options = { NATS_URL?: string; name?: string; folder?: string; env?: Record<string, string> };

/** A process of the bus, on a port that it keeps when it is started again. */
export async function startCopy({ NATS_URL = '', name = 'event-bus-0', folder = newData(), env = {} }: Options) {
  const [port] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const http = request(url);
  let child: ChildProcess | undefined;
  let output = '';
  const start = (more: Record<string, string> = {}) => {
    const settings = { HOST: '127.0.0.1', PORT: `${port}`, DATA_DIR: folder, COPY_NAME: name, COPY_URL: url, NATS_URL };
    const fixed = { SUBSCRIPTIONS: 'nobody=http://127.0.0.1:9/events', ...settings, ...env, ...more };
    child = spawn(process.execPath, [main], { env: { PATH: process.env.PATH, ...fixed } });
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => (output += data));
  };
  const end = async (signal: NodeJS.Signals) => {
    const running = child;
    if (!running || running.exitCode !== null || running.signalCode !== null) return running?.exitCode;
    const exited = once(running, 'exit');
    running.kill(signal);
    running.kill('SIGCONT');
    return (await exited)[0] as number;
  };
  start();
  return {
    name,
    url,
    http,
    folder,
    start,
    output: () => output,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    exited: async () => child?.exitCode ?? ((await once(child as ChildProcess, 'exit'))[0] as number),
    pause: () => child?.kill('SIGSTOP'),
    resume: () => child?.kill('SIGCONT'),
    remove: async () => {
      await end('SIGKILL');
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
    publish: (id: string, more: object = {}) =>
      http
        .post('/events')
        .set('content-type', EVENT)
        .send(JSON.stringify(cloudEvent(id, more))),
    ids: async (): Promise<string[]> =>
      (await http.get('/events').expect(200)).body.map(({ id }: { id: string }) => id),
    ready: async () => (await http.get('/readyz')).body,
    /** The name of the copy that leads, as this one says. */
    leader: async (): Promise<string | null> => (await http.get('/readyz').expect(200)).body.quorum.leader,
  };
}
export type Copy = Awaited<ReturnType<typeof startCopy>>;

/** Waits until these copies know the same leader; returns its name. */
export const leaderOf = (...copies: Copy[]): Promise<string> =>
  until(async () => {
    const [first, ...others] = await Promise.all(copies.map((copy) => copy.leader()));
    if (!first || others.some((other) => other !== first)) throw new Error(`leaders: ${first} ${others}`);
    await copies[0]?.http.get('/events?limit=1').expect(200);
    return first;
  });

/** The tables in the file of a copy that all copies have alike. */
export function controlState({ folder }: Copy) {
  const file = new DatabaseSync(join(folder, 'event-bus.db'), { readOnly: true });
  const tables = ['subscriptions', 'dead_letters', 'sealed'] as const;
  const rows = tables.map((table) => [table, file.prepare(`SELECT * FROM ${table} ORDER BY 1`).all()]);
  file.close();
  return Object.fromEntries(rows) as Record<(typeof tables)[number], object[]>;
}

/** The lease of the leader, as the servers have it: empty if it was given back. */
export async function leaseOf(servers: string): Promise<string> {
  const connection = await connect({ servers: servers.split(',') });
  const { direct } = await jetstreamManager(connection);
  const message = await direct.getMessage('lease', { last_by_subj: 'lease' });
  await connection.close();
  return message?.string() ?? '';
}

/** Deletes the streams of the bus, as if the servers were new. */
export async function deleteStreams(servers: string): Promise<void> {
  const connection = await connect({ servers: servers.split(',') });
  const { streams } = await jetstreamManager(connection);
  for (const name of ['log', 'lease']) await streams.delete(name).catch(() => {});
  await connection.close();
}
