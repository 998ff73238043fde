// Parses the options that several scripts share.

import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultDataDir } from './part-process.ts';

/** The option `--data DIR`, for `parseArgs`. */
export const dataOption = { type: 'string', default: defaultDataDir } as const;

/**
 * The folder named by `--data`.
 * @throws if the name is empty, as in `--data "$UNSET"`, which would mean the current folder
 */
export function dataDirOf(data: string): string {
  if (data.trim() === '') throw new Error('--data is empty: name a folder.');
  return resolve(data);
}

/** Parses a script's options. Wrong ones are reported with the usage, and end the script with exit code 2. */
export function optionsOrUsage<T>(parseOptions: () => T, usage: string): T {
  try {
    return parseOptions();
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    process.exit(2);
  }
}

/** Parses `DIR [--data DIR]`: the folder of a backup, and that of the data. */
export function foldersOrUsage(usage: string): { folder: string; dataDir: string } {
  return optionsOrUsage(() => {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { data: dataOption },
    });
    const [folder, more] = positionals;
    if (!folder || more) throw new Error('Name the folder of one backup.');
    return { folder: resolve(folder), dataDir: dataDirOf(values.data) };
  }, usage);
}
