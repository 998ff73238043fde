import { parseJson } from './parse.ts';

/** Values that the browser does not keep: its storage is blocked (reading `sessionStorage` throws then), or full. */
const memory = new Map<string, string>();

function storage(): Storage | undefined {
  try {
    return window.sessionStorage;
  } catch {
    return undefined;
  }
}

/** Reads the value that was kept under a name, unchecked; undefined if there is none. */
export const loadKept = (name: string): unknown => parseJson(memory.get(name) ?? storage()?.getItem(name) ?? '');

/** Keeps a value across a reload of this tab, or else until the page goes. Undefined takes away what was kept. */
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
