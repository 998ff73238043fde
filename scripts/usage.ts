import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultDataDir } from './parts.ts';

/** `--data DIR`, for `parseArgs`. */
export const dataOption = { type: 'string', default: defaultDataDir } as const;

/**
 * The folder that `--data` names.
 * @throws if it names none, as `--data "$UNSET"` does: that would be the current folder
 */
export function dataDirOf(data: string): string {
  if (data.trim() === '') throw new Error('--data is empty: name a folder.');
  return resolve(data);
}

/** The options of a script; wrong ones are told with the usage, and end it with exit code 2. */
export function optionsOrUsage<T>(parseOptions: () => T, usage: string): T {
  try {
    return parseOptions();
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    process.exit(2);
  }
}

/** `DIR [--data DIR]`: the folder of a backup, and that of the data. */
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
