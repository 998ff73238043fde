import { parseJson } from './parse.ts';

/** What the browser would not keep: it may have closed its storage to us (reading `sessionStorage` throws then), or it is full. */
const memory = new Map<string, string>();

function storage(): Storage | undefined {
  try {
    return window.sessionStorage;
  } catch {
    return undefined;
  }
}

/** What was kept under a name, as it was found; undefined if there is nothing. */
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
