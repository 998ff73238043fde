// `npm run part -- stop moderation`: a command for the runner that another terminal runs.
import { parseArgs } from 'node:util';
import { ask } from './control.ts';
import { printable } from './output.ts';
import { dataDirOf, dataOption, optionsOrUsage } from './usage.ts';

const { command, dataDir } = optionsOrUsage(() => {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { data: dataOption } });
  return { command: positionals, dataDir: dataDirOf(values.data) };
}, 'Usage: npm run part -- COMMAND [--data DIR]');
const answer = await ask(dataDir, command);
if (answer?.code === 0) console.log(answer.text.split('\n').map(printable).join('\n'));
else console.error(answer ? printable(answer.text) : 'Nothing is running. Start it with: npm start');
process.exitCode = answer?.code ?? 1;
