// The checks of a bus, in the order in which they are printed.
import type { Check } from '../check.ts';
import { deadLetterChecks } from './dead-letters.ts';
import { fanOutChecks } from './fan-out.ts';
import { logChecks } from './log.ts';
import { onceChecks } from './once.ts';
import { others, positionChecks } from './positions.ts';
import { replayChecks } from './replay.ts';

export const busChecks: Check[] = [
  ...[...fanOutChecks, others],
  ...[...logChecks, ...positionChecks, ...onceChecks, ...deadLetterChecks, ...replayChecks],
];
