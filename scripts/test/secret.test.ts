// The Skaffold hook that makes an installation's token.

import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

const script = join(import.meta.dirname, '..', 'k8s', 'secret.mjs');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'blog token '));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A fake kubectl that records its calls and stores what it is given, as a cluster does; `fails` at one command. */
function createKubectl(fails?: 'get' | 'create') {
  const source = `#!/usr/bin/env node
const { appendFileSync, existsSync, readFileSync, writeFileSync } = require('node:fs');
const secret = __dirname + '/secret';
const args = process.argv.slice(2);
appendFileSync(__dirname + '/calls', JSON.stringify(args) + '\\n');
const command = args.find((arg) => arg === 'get' || arg === 'create');
if (command === ${JSON.stringify(fails)}) {
  console.error('Unable to connect to the server');
  process.exit(1);
}
if (command === 'get' && existsSync(secret)) console.log('secret/' + args[args.indexOf('secret') + 1]);
if (command === 'create') writeFileSync(secret, readFileSync(0), { flag: 'wx' });
`;
  writeFileSync(join(folder, 'kubectl'), source, { mode: 0o755 });
}

const calls = (): string[][] =>
  existsSync(join(folder, 'calls'))
    ? readFileSync(join(folder, 'calls'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    : [];
const secret = () => JSON.parse(readFileSync(join(folder, 'secret'), 'utf8'));

/** Runs it as Skaffold does: with no packages installed, and only Node and kubectl on the PATH. */
function run(
  env: NodeJS.ProcessEnv = { SKAFFOLD_KUBE_CONTEXT: 'kind-blog' },
  ...args: string[]
): SpawnSyncReturns<string> {
  const path = [folder, dirname(process.execPath)].join(delimiter);
  return spawnSync(process.execPath, [script, ...args], { env: { PATH: path, ...env }, encoding: 'utf8' });
}

// On Windows a script cannot replace kubectl.exe.
(process.platform === 'win32' ? describe.skip : describe)('the token of an installation', () => {
  test('is made where it is missing: 32 random bytes, in the Namespace and the cluster that Skaffold deploys to', () => {
    createKubectl();
    expect(run()).toMatchObject({ status: 0, stdout: 'Secret bus-token: created.\n', stderr: '' });
    expect(secret()).toMatchObject({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'bus-token' } });
    expect(Object.keys(secret().stringData)).toEqual(['token']);
    expect(Buffer.from(secret().stringData.token, 'base64url')).toHaveLength(32);
    expect(calls().map((args) => args.slice(0, 5))).toEqual([
      ['--context', 'kind-blog', '--namespace', 'blog', 'get'],
      ['--context', 'kind-blog', '--namespace', 'blog', 'create'],
    ]);
  });

  test('is kept where there is one', () => {
    createKubectl();
    run();
    const { token } = secret().stringData;
    expect(run()).toMatchObject({ status: 0, stdout: 'Secret bus-token: kept.\n', stderr: '' });
    expect(calls().filter((args) => args.includes('create'))).toHaveLength(1);
    expect(secret().stringData.token).toBe(token);
  });

  test('of the quorum and that of auth are made by their names, and no other Secret is', () => {
    createKubectl();
    expect(run({}, 'nats-token')).toMatchObject({ status: 0, stdout: 'Secret nats-token: created.\n' });
    expect(secret().metadata.name).toBe('nats-token');
    expect(calls().at(0)).toEqual(expect.arrayContaining(['get', 'secret', 'nats-token']));
    rmSync(join(folder, 'secret'));
    expect(run({}, 'oidc-client')).toMatchObject({ status: 0, stdout: 'Secret oidc-client: created.\n' });
    expect(run({}, 'x-token')).toMatchObject({ status: 2, stderr: expect.stringMatching(/^Usage: /) });
    expect(run({}, 'nats-token', 'x')).toMatchObject({ status: 2 });
    expect(calls()).toHaveLength(4);
  });

  test('is another one in each installation', () => {
    createKubectl();
    run();
    const { token } = secret().stringData;
    rmSync(join(folder, 'secret'));
    run();
    expect(secret().stringData.token).not.toBe(token);
  });

  test('is neither printed nor an argument, and not asked back from the cluster', () => {
    createKubectl();
    const { stdout, stderr } = run();
    const { token } = secret().stringData;
    for (const place of [stdout, stderr, JSON.stringify(calls())]) {
      for (const form of ['utf8', 'base64', 'hex'] as const) {
        expect(place).not.toContain(Buffer.from(token).toString(form));
        expect(place).not.toContain(Buffer.from(token, 'base64url').toString(form));
      }
    }
    expect(calls()[0]).toContain('--output=name');
  });

  test.each(['get', 'create'] as const)('stops the deployment when kubectl fails at %s, and says why', (command) => {
    createKubectl(command);
    const { status, stdout, stderr } = run();
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr.trim().split('\n')).toEqual([
      'Unable to connect to the server',
      `The Secret bus-token is not there: kubectl ${command} failed (see above).`,
    ]);
    expect(existsSync(join(folder, 'secret'))).toBe(false);
  });

  test('by hand is made in the current cluster', () => {
    createKubectl();
    expect(run({})).toMatchObject({ status: 0 });
    expect(calls().flat()).not.toContain('--context');
  });

  test('a missing kubectl is reported', () => {
    const { status, stderr } = run({ PATH: folder });
    expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringMatching(/kubectl.*ENOENT/) });
  });
});
