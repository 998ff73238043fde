// Keeps values in the tab's session storage, or in memory where that is not available.

import { parseJson } from './parse.ts';

/**
 * Fallback for values that could not be stored: the storage is blocked (reading `sessionStorage` throws then), or full.
 */
const memory = new Map<string, string>();

function storage(): Storage | undefined {
  try {
    return window.sessionStorage;
  } catch {
    return undefined;
  }
}

/** Reads the value kept under a name, unchecked; undefined if there is none. */
export const loadKept = (name: string): unknown => parseJson(memory.get(name) ?? storage()?.getItem(name) ?? '');

/**
 * Keeps a value across reloads of this tab, or without session storage until the page is left. Undefined removes it.
 */
export function keep(name: string, value: unknown): void {
  memory.delete(name);
  const text = JSON.stringify(value);
  try {
    if (text === undefined) window.sessionStorage.removeItem(name);
    else window.sessionStorage.setItem(name, text);
  } catch {
    if (text !== undefined) memory.set(name, text);
  }
}

export const keptNames = (): string[] => [...memory.keys(), ...Object.keys(storage() ?? {})];
