// `npm run part -- stop moderation`: a command for the runner that another terminal runs.
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ask } from './control.ts';
import { defaultDataDir } from './parts.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { data: { type: 'string', default: defaultDataDir } },
});
const answer = await ask(resolve(values.data), positionals);
if (answer?.code === 0) console.log(answer.text);
else console.error(answer?.text ?? 'Nothing is running. Start it with: npm start');
process.exitCode = answer?.code ?? 1;
