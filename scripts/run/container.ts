// The first process of a part's container in development; the image's `PART` names the part. The container outlives its
// service, because it holds the edits that file sync brought: Kubernetes would replace it by its image, without them.
// So a crash, a kill or a saved syntax error ends only the service, which is restarted as by `npm start`.

import { portsOf, processOf } from '../lib/part-process.ts';
import { supervise } from '../lib/supervisor.ts';
import { format } from './output.ts';

const name = process.env.PART ?? '';
const port = Number(process.env.PORT) || portsOf([]).get(name);
if (!port) throw new Error(`There is no part "${name}".`);

/** For a log store; people read text. */
const isJson = process.env.LOG_FORMAT === 'json';

const part = supervise(
  { ...processOf(name, false), port, env: {} },
  {
    line: (line) => console.log(typeof line === 'string' ? line : isJson ? JSON.stringify(line) : format(line)),
    note: (text) => console.log(`${name} ${text}`),
    ready: () => {},
    ended: () => {},
    invalidSetting: () => console.log(`${name} has an invalid setting (see above), and waits for an edit or a new pod`),
    unwatched: (reason) => console.log(`${name} does not notice edits: ${reason}`),
  },
);

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.on(signal, () => void part.stop().then(() => process.exit()));
part.start();
