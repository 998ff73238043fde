// Keeps values in the tab's session storage, or in memory where that is not available.

import { parseJson } from './parse.ts';

/** Values that could not be stored: the storage is blocked, missing or full. */
const memory = new Map<string, string>();

/** Uses the storage. Undefined where it cannot be used: reading it, or any of its functions, may throw. */
function tryStorage<T>(use: (storage: Storage) => T): T | undefined {
  try {
    return use(window.sessionStorage);
  } catch {
    return undefined;
  }
}

/** Reads the value kept under a name, unchecked; undefined if there is none. */
export const loadKept = (name: string): unknown =>
  parseJson(memory.get(name) ?? tryStorage((storage) => storage.getItem(name)) ?? '');

/** Keeps a value across reloads of this tab, or in memory until the page is left. Undefined removes it. */
export function keep(name: string, value: unknown): void {
  memory.delete(name);
  const text = JSON.stringify(value);
  const isDone = tryStorage((storage) => {
    if (text === undefined) storage.removeItem(name);
    else storage.setItem(name, text);
    return true;
  });
  if (!isDone && text !== undefined) memory.set(name, text);
}

export const keptNames = (): string[] => [...memory.keys(), ...(tryStorage(Object.keys) ?? [])];
