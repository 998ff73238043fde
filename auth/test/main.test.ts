// The process of auth: a sign-in that was acknowledged outlives kill -9.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newFolder, removeFolders, until } from '../../common/test/service.ts';
import { freePorts } from '../../scripts/lib/port-use.ts';
import { Browser, settingsOf } from './auth-service.ts';
import { FakeIssuer } from './fake-issuer.ts';

const main = join(import.meta.dirname, '../src/main.ts');

let issuer: FakeIssuer;
let child: ChildProcess | undefined;
beforeAll(async () => {
  issuer = await new FakeIssuer().open();
});
afterAll(async () => {
  child?.kill('SIGKILL');
  await issuer.close();
  removeFolders();
});

test('kill -9 right after a sign-in, or a sign-out, loses neither', async () => {
  const [port] = await freePorts(1);
  const env = { ...process.env, ...settingsOf(issuer.url), DATA_DIR: newFolder(), PORT: String(port) };
  const url = `http://localhost:${port}`;
  const start = async () => {
    child = spawn(process.execPath, [main], { env, stdio: 'ignore' });
    await until(() =>
      fetch(`${url}/healthz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
  };
  const kill = async () => {
    const ended = once(child as ChildProcess, 'exit');
    child?.kill('SIGKILL');
    await ended;
  };
  const [stays, leaves] = [new Browser(url), new Browser(url)];
  await start();
  await leaves.signIn(issuer);
  const stolen = new Browser(url);
  stolen.cookies = new Map(leaves.cookies);
  await leaves.ask('/logout', 'POST');
  const { status } = await stays.signIn(issuer);
  await kill();
  expect(status).toBe(303);
  await start();
  expect([(await stays.me)?.name, await stolen.me]).toEqual(['Ada Lovelace', null]);
  expect(await stays.token()).toBeDefined();
  // A login that is under way goes on, too.
  const other = new Browser(url);
  const path = await other.toCallback(issuer);
  await kill();
  await start();
  expect((await other.ask(path)).status).toBe(303);
  await kill();
});
