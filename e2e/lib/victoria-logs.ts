// Finds the real VictoriaLogs.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe } from '@jest/globals';

const name = process.platform === 'win32' ? 'victoria-logs.exe' : 'victoria-logs';
const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name));

/** The path of the program: the one in VICTORIALOGS, else on the PATH. */
export const victoriaLogs = process.env.VICTORIALOGS || onPath.find(existsSync);

/** Jest's `describe`, skipped without VictoriaLogs; with REQUIRE_VICTORIALOGS set its tests fail instead. */
export const describeVictoriaLogs = victoriaLogs || process.env.REQUIRE_VICTORIALOGS ? describe : describe.skip;
