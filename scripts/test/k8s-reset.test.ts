// `npm run k8s:reset`, with a fake kubectl.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

const script = join(import.meta.dirname, '..', 'k8s', 'k8s-reset.ts');
const ours = { 'app.kubernetes.io/part-of': 'blog' };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'blog k8s '));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A fake kubectl that records its calls, with a cluster in `state`; the current context changes with every call. */
function createKubectl(state: { labels?: object; fails?: string }) {
  const source = `#!/usr/bin/env node
const { appendFileSync, readFileSync } = require('node:fs');
const state = ${JSON.stringify(state)};
const calls = __dirname + '/calls';
const args = process.argv.slice(2);
appendFileSync(calls, args.join(' ') + '\\n');
const looks = readFileSync(calls, 'utf8').split('current-context').length - 1;
if (args[0] === 'config') console.log('kind-' + looks);
else if (state.fails) {
  console.error('E1121 memcache.go: trying again\\n' + state.fails);
  process.exit(1);
} else if (args.includes('get') && state.labels) console.log(JSON.stringify({ metadata: { labels: state.labels } }));
`;
  writeFileSync(join(folder, 'kubectl'), source, { mode: 0o755 });
}

const calls = () =>
  existsSync(join(folder, 'calls')) ? readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n') : [];
const deletions = () => calls().filter((call) => call.includes('delete'));

type Result = { code: number | null; output: string };

function collect(command: string, args: string[], path: string, input?: string): Promise<Result> {
  const env = { ...process.env, PATH: path, NODE: process.execPath, SCRIPT: script };
  const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      output += data;
      // Answers when asked, as a person does.
      if (input && output.includes('[y/N]')) child.stdin.end(input);
    });
  }
  if (!input) child.stdin.end();
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}

const withKubectl = () => `${folder}${delimiter}${process.env.PATH}`;
const reset = (...args: string[]) => collect(process.execPath, [script, ...args], withKubectl());
/** Runs it in a terminal (`script` of util-linux), where the question is answered with `input`. */
const resetInTerminal = (input: string) =>
  collect('script', ['-qec', '"$NODE" "$SCRIPT"', '/dev/null'], withKubectl(), input);

// On Windows a script cannot replace kubectl.exe.
const describeWithKubectl = process.platform === 'win32' ? describe.skip : describe;

describeWithKubectl('npm run k8s:reset', () => {
  test('with --yes deletes the Namespace and waits until it is gone, in the context that it has named', async () => {
    createKubectl({ labels: ours });
    const { code, output } = await reset('--yes');
    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('context "kind-1"') });
    expect(deletions()).toEqual([expect.stringContaining('--context=kind-1 delete namespace blog')]);
    expect(deletions()[0]).toContain('--wait');
    expect(calls().filter((call) => !/^config|^--context=kind-1 /.test(call))).toEqual([]);
  });

  test('takes another context', async () => {
    createKubectl({ labels: ours });
    expect((await reset('--yes', '--context', 'minikube')).code).toBe(0);
    expect(calls().every((call) => call.startsWith('--context=minikube '))).toBe(true);
    expect(deletions()).toHaveLength(1);
  });

  test('an empty context is refused, and not the current one', async () => {
    createKubectl({ labels: ours });
    const { code, output } = await reset('--yes', '--context', '');
    expect({ code, output }).toMatchObject({ code: 2, output: expect.stringContaining('--context is empty') });
    expect(calls()).toEqual([]);
  });

  test.each([[{}], [{ 'app.kubernetes.io/part-of': 'shop' }], [{ name: 'blog' }]])(
    'never deletes a Namespace that is not labelled as ours (%p)',
    async (labels) => {
      createKubectl({ labels });
      const { code, output } = await reset('--yes');
      expect({ code, output }).toMatchObject({ code: 1, output: expect.stringContaining("is not this blog's") });
      expect(deletions()).toEqual([]);
    },
  );

  test('where there is no such Namespace has nothing to do', async () => {
    createKubectl({});
    const { code, output } = await reset('--yes');
    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('There is no Namespace blog') });
    expect(deletions()).toEqual([]);
  });

  test('without a terminal and without --yes refuses', async () => {
    createKubectl({ labels: ours });
    const { code, output } = await reset();
    expect({ code, output }).toMatchObject({ code: 1, output: expect.stringContaining('--yes') });
    expect(deletions()).toEqual([]);
  });

  // `script` takes other arguments on other systems.
  const testInTerminal = process.platform === 'linux' ? test : test.skip;
  testInTerminal.each([
    ['n\n', 1, 0],
    ['\n', 1, 0],
    ['yesterday\n', 1, 0],
    ['\u0003', 1, 0],
    ['\u0004', 1, 0],
    ['y\n', 0, 1],
  ])('asks, and deletes only after a yes (%j)', async (answer, code, times) => {
    createKubectl({ labels: ours });
    const result = await resetInTerminal(answer);
    expect(result.output).toContain('context "kind-1"? [y/N]');
    expect(result.code).toBe(code);
    expect(deletions()).toHaveLength(times);
    if (times === 0) expect(result.output).toContain('Nothing is deleted.');
  });

  test('a cluster that does not answer is reported in one line', async () => {
    createKubectl({ fails: 'Unable to connect to the server: dial tcp 127.0.0.1:6443: connection refused' });
    const { code, output } = await reset('--yes');
    expect(code).toBe(1);
    expect(output.trim().split('\n')).toEqual([
      expect.stringMatching(/^The cluster of context "kind-1" does not answer\. .* connection refused$/),
    ]);
  });

  test('a missing kubectl is reported in one line', async () => {
    const { code, output } = await collect(process.execPath, [script, '--yes'], folder);
    expect({ code, lines: output.trim().split('\n') }).toEqual({
      code: 1,
      lines: [expect.stringContaining('kubectl is not installed')],
    });
  });

  test('wrong usage is 2', async () => {
    const { code, output } = await reset('--force');
    expect({ code, output }).toMatchObject({ code: 2, output: expect.stringContaining('Usage: npm run k8s:reset') });
  });
});
