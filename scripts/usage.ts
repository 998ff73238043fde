import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultDataDir } from './parts.ts';

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
      options: { data: { type: 'string', default: defaultDataDir } },
    });
    const [folder, more] = positionals;
    if (!folder || more) throw new Error('Name the folder of one backup.');
    return { folder: resolve(folder), dataDir: resolve(values.data) };
  }, usage);
}
