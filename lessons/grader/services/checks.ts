// The checks of services, in the order in which they are printed.
import type { Check } from '../check.ts';

export const serviceChecks: Check[] = [];
