// The nodes of NATS that tests and `npm start -- --copies` run.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { findNats, leaderBy, type Nats, startNats, withNats } from '../lib/nats.ts';
import { until } from '../lib/until.ts';
import { isAlive } from './checkout.ts';

type Varz = {
  host: string;
  http_host: string;
  cluster: { addr: string };
  jetstream: { config: { sync_always: boolean } };
};

describe('finding nats-server', () => {
  const { PATH, NATS_SERVER } = process.env;
  afterEach(() => {
    process.env.PATH = PATH;
    if (NATS_SERVER === undefined) delete process.env.NATS_SERVER;
    else process.env.NATS_SERVER = NATS_SERVER;
  });

  test('without one the reason says how to get it', () => {
    process.env.PATH = import.meta.dirname;
    delete process.env.NATS_SERVER;
    expect(findNats()).toEqual({ missing: expect.stringMatching(/no nats-server on the PATH .+go install/) });
  });

  test('another program is refused by its path', () => {
    process.env.NATS_SERVER = process.execPath;
    expect(findNats()).toEqual({ missing: expect.stringContaining(`${process.execPath} is not`) });
  });
});

withNats(describe)('a cluster of three nodes', () => {
  let nats: Nats;
  beforeAll(async () => {
    nats = await startNats();
  });
  afterAll(() => nats?.stop());

  test('flushes each write to disk, and listens on loopback only', async () => {
    for (const { ports } of nats.nodes) {
      const page = (await (await fetch(`http://127.0.0.1:${ports.monitor}/varz`)).json()) as Varz;
      const { host, http_host, cluster, jetstream } = page;
      expect([host, http_host, cluster.addr]).toEqual(Array(3).fill('127.0.0.1'));
      expect(jetstream.config.sync_always).toBe(true);
    }
  });

  test('gets another leader when its leader is killed, and the killed node comes back, wiped as well', async () => {
    const first = await nats.usable();
    const wiped = join(first.folder, 'jetstream');
    await first.kill();
    const second = await nats.usable();
    expect(second.name).not.toBe(first.name);
    expect(existsSync(wiped)).toBe(true);
    first.wipe();
    expect(existsSync(wiped)).toBe(false);
    await first.start();
    await until('it follows', async () => (await leaderBy(first)) === second.name);
  });
});

withNats(test)('a node ends with the process that started it, even if that is killed', async () => {
  const library = pathToFileURL(join(import.meta.dirname, '..', 'lib', 'nats.ts')).href;
  const script = `const { startNats } = await import(${JSON.stringify(library)});
    const { nodes } = await startNats({ count: 1 });
    console.log(nodes[0].pid());
    setInterval(() => {}, 1_000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = await new Promise<number>((resolve) => parent.stdout.once('data', (data) => resolve(Number(data))));
  expect(isAlive(pid)).toBe(true);
  parent.kill('SIGKILL');
  await until('the node has ended', () => !isAlive(pid));
});
