// The disk's own rate of fsyncs: the upper bound for one commit at a time.
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Figure } from '../figure.ts';
import { percentile } from '../load.ts';

export const disk: Figure = {
  name: 'disk',
  title: 'appends of 4 KiB, each followed by fdatasync, one at a time',
  sides: ['fsync'],
  units: { rate: '/s', p50: 'ms', p99: 'ms' },
  async measure({ quick, directory }) {
    const file = openSync(join(directory, 'appended'), 'a');
    const block = Buffer.alloc(4_096, 'x');
    const times: number[] = [];
    const began = performance.now();
    const end = began + (quick ? 1_000 : 5_000);
    for (let before = began; before < end; ) {
      writeSync(file, block);
      fdatasyncSync(file);
      const now = performance.now();
      times.push(now - before);
      before = now;
    }
    closeSync(file);
    const seconds = (performance.now() - began) / 1_000;
    return { rate: times.length / seconds, p50: percentile(times, 50), p99: percentile(times, 99) };
  },
  goals: [],
};
