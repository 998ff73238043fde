// `npm run reset`: forgets all posts, comments and events.
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ask } from './control.ts';
import { defaultDataDir } from './parts.ts';

const { values } = parseArgs({ options: { data: { type: 'string', default: defaultDataDir } } });
const dataDir = resolve(values.data);
if (await ask(dataDir, ['status'])) {
  console.error('The blog is running: stop it first (Ctrl-C in its terminal), then npm run reset.');
  process.exitCode = 1;
} else {
  rmSync(dataDir, { recursive: true, force: true });
  console.log(`Forgotten: ${dataDir} is deleted.`);
}
