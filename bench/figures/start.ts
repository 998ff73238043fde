// The time of `npm start`, with everything installed, until it reports that all parts are ready.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { PARTS } from '@blog/common/run/parts.ts';
import { root } from '../../scripts/lib/part-process.ts';
import { freePorts } from '../../scripts/lib/port-use.ts';
import type { Figure } from '../figure.ts';
import { keep } from '../processes.ts';

/** Runs `npm start` until it is ready, and stops it; returns the seconds. */
async function timeOf(options: string[], dataDir: string): Promise<number> {
  const numbers = await freePorts(PARTS.length);
  const ports = PARTS.flatMap((name, i) => ['--port', `${name}=${numbers[i]}`]);
  const npm = process.env.npm_execpath;
  // Under `node bench/main.ts` npm is unknown: the same script runs without npm, whose own time is then missing.
  const command = npm ? [npm, 'start', '--'] : [join(root, 'scripts', 'lib', 'setup.mjs'), 'scripts/run/start.ts'];
  const began = performance.now();
  const runner = spawn(process.execPath, [...command, '--data', dataDir, ...ports, ...options], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own gets the Ctrl-C as a whole, as in a terminal.
    detached: true,
  });
  const ended = once(runner, 'close');
  const stop = async () => {
    if (runner.exitCode === null && runner.signalCode === null) process.kill(-(runner.pid as number), 'SIGINT');
    await ended;
  };
  await keep(Promise.resolve({ stop }));
  let output = '';
  const ready = new Promise<number>((resolve, reject) => {
    for (const stream of [runner.stdout, runner.stderr])
      stream.on('data', (data) => {
        output += data;
        if (output.includes('Ready after')) resolve((performance.now() - began) / 1_000);
      });
    runner.once('close', () => reject(new Error(`npm start ended: ${output}`)));
  });
  const seconds = await ready;
  await stop();
  return seconds;
}

export const start: Figure = {
  name: 'start',
  title: 'npm start, installed, until all six parts are ready',
  sides: ['ours'],
  units: { development: 's', production: 's' },
  measure: async ({ directory }) => ({
    development: await timeOf([], join(directory, 'development')),
    production: await timeOf(['--production'], join(directory, 'production')),
  }),
  goals: [
    { text: 'npm start to ready, s', of: ({ ours }) => ours?.development, atMost: 3 },
    { text: 'with --production, s', of: ({ ours }) => ours?.production, atMost: 3 },
  ],
};
