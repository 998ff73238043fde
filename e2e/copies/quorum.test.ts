// Two copies of the bus on a quorum of three nodes, before two copies of each service: faults of the bus and the nodes under
// load. Nothing is lost, doubled, wrong or pending, and all copies are equal afterwards, those of the log included.
import { cpSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { withNats } from '../../scripts/lib/nats.ts';
import { quorum, quorumBy } from '../lib/copies.ts';
import { createFaults } from '../lib/faults.ts';
import { get, post, until } from '../lib/http.ts';
import { mountSmallDisk } from '../lib/small-disk.ts';
import { type System, startSystem } from '../lib/system.ts';

/** The number of kills of each. */
const ROUNDS = process.env.LONG ? 10 : 1;
const NODES = ['nats-0', 'nats-1', 'nats-2'];

let disk: Awaited<ReturnType<typeof mountSmallDisk>>;
let system: System;
let faults: ReturnType<typeof createFaults>;

const leader = async () => (await quorum(system)).leader as string;
const storeOf = (node: string) => join(system.dataDir, node, 'jetstream');
const otherThan = (name: string) => system.copiesOf('event-bus').find((other) => other !== name) as string;
const node = async (leads: boolean) => (await quorum(system)).nodes.find((one) => one.leader === leads)?.name as string;

withNats(describe)('the bus on a quorum', () => {
  beforeAll(async () => {
    disk = await mountSmallDisk('128m');
    const data = disk ? ['--data', join(disk.folder, 'data')] : [];
    system = await startSystem('--production', '--without', 'client', '--copies', '2', ...data);
    faults = createFaults(system);
    await quorum(system);
  });
  afterAll(async () => {
    await system?.stop();
    await disk?.unmount();
    console.log(`Writes stopped for at most\n${faults?.stops.join('\n')}`);
  });

  test('kill -9 of its leader and of a follower, and their volumes lost, loses nothing', async () => {
    await faults.underLoad(async (fault) => {
      for (let round = 0; round < ROUNDS; round++) {
        const name = await leader();
        await fault(`${name}, the leader of the bus, killed`, () => system.killPart(name));
        const follower = otherThan(await leader());
        await fault(`${follower}, a follower, killed`, () => system.killPart(follower));
      }
      for (const name of system.copiesOf('event-bus')) await fault(`${name} lost`, () => faults.lose(name));
    });
  }, 600_000);

  test('a leader stopped for longer than its lease is fenced when it wakes', async () => {
    await faults.underLoad(async (fault) => {
      const old = await leader();
      const pid = (await system.pids()).get(old) as number;
      await fault(`${old}, the leader of the bus, stopped until another leads`, async () => {
        process.kill(pid, 'SIGSTOP');
        const leads = async () => (await quorumBy(system, otherThan(old)))?.leader === otherThan(old);
        await until('another copy leads', leads).finally(() => process.kill(pid, 'SIGCONT'));
      });
      await until('it follows', async () => (await quorumBy(system, old))?.leader === otherThan(old));
    });
  });

  test('kill -9 of the leader of the stream loses nothing', async () => {
    await faults.underLoad(async (fault) => {
      for (let round = 0; round < ROUNDS; round++) {
        const name = await node(true);
        await fault(`${name}, the leader of the stream, killed`, () => system.part(`kill ${name}`));
        await quorum(system);
      }
    });
  }, 600_000);

  test('a node whose files are lost or damaged is healed by the others', async () => {
    await faults.underLoad(async (fault) => {
      for (const [what, harm] of [
        ['lost', system.wipeNode],
        ['damaged', system.damageNode],
      ] as const) {
        const name = await node(false);
        await fault(`the files of ${name} ${what}`, async () => {
          await system.part(`stop ${name}`);
          harm(name);
          await system.part(`start ${name}`);
          await quorum(system);
        });
      }
    });
  });

  test('with all nodes away writes are refused and reads go on; when they are back, the same write is taken', async () => {
    const title = 'with all nodes away';
    const write = () =>
      post(`${system.url('posts')}/posts`, { title }, { 'idempotency-key': title.replaceAll(' ', '-') });
    await faults.underLoad(async (fault) => {
      await fault('all nodes killed, and started once writes were refused', async () => {
        for (const name of NODES) {
          await system.part(`kill ${name}`);
          await system.part(`stop ${name}`);
        }
        for (const name of NODES) cpSync(storeOf(name), `${storeOf(name)} old`, { recursive: true }); // for the last test
        expect(await write()).toMatchObject({ status: 503, body: { status: 503 } });
        expect((await get(`${system.url('query')}/posts`)).status).toBe(200);
        for (const name of NODES) await system.part(`start ${name}`);
        await quorum(system);
      });
      const { status, body } = await write();
      expect(status).toBe(201);
      faults.written.push({ id: body.id, title, comments: [] });
    });
  });

  test('after a full disk, once there is space, the nodes and the bus go on by themselves', async () => {
    if (!disk) return console.log('Skipped: no disk can be mounted here.');
    const { fill, free } = disk;
    await faults.underLoad(async (fault) => {
      await fault('the disk full, and free once each node had given up', async () => {
        const before = await system.pids();
        const hasGivenUp = async () => {
          const now = await system.pids();
          return NODES.every((name) => now.get(name) !== before.get(name));
        };
        fill();
        await until('each node has given up', hasGivenUp).finally(free);
        await quorum(system);
      });
    });
  });

  // The last one: only a person can decide which log is right.
  test('a stream that is put back from an old copy is noticed by every copy of the bus, and takes nothing', async () => {
    const allNodes = (verb: string) => Promise.all(NODES.map((name) => system.part(`${verb} ${name}`)));
    const head = await system.head();

    await allNodes('stop');
    for (const name of NODES) {
      rmSync(storeOf(name), { recursive: true });
      renameSync(`${storeOf(name)} old`, storeOf(name));
    }
    await allNodes('start');
    for (const name of system.copiesOf('event-bus')) {
      await until(`${name} is diverged`, async () => {
        const answer = await get(`${system.url(name)}/readyz`);
        return answer.status === 503 && JSON.stringify(answer.body).includes('diverged');
      });
      expect((await get(`${system.url(name)}/metrics`)).body).toMatch(/^bus_diverged 1$/m);
      const event = { type: 'Test', data: {} };
      expect(await post(`${system.url(name)}/events`, event)).toMatchObject({ status: 503 });
      expect(system.rows(name, 'SELECT max(position) AS last FROM events')).toMatchObject([
        { last: Number.parseInt(head, 10) },
      ]);
    }
    expect((await get(`${system.url('query')}/posts`)).status).toBe(200);
  });
});
