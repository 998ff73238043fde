// The checks of a bus, in the order in which they are printed.
import type { Check } from '../check.ts';
import { fanOutChecks } from './fan-out.ts';
import { logChecks } from './log.ts';

export const busChecks: Check[] = [...fanOutChecks, ...logChecks];
