// The clock of this process, which a test sets.
import { jest } from '@jest/globals';

const now = Date.now.bind(Date);

/** Sets the clock so many milliseconds off. */
export function setClock(by: number): void {
  jest.restoreAllMocks();
  if (by !== 0) jest.spyOn(Date, 'now').mockImplementation(() => now() + by);
}
