// Starts the issuer to play with.

import { createHttpServer } from '@blog/common/http/limits.ts';
import { createLog } from '@blog/common/observe/log.ts';
import { parseConfig } from '@blog/common/run/config.ts';
import { endOnSignal, listen } from '@blog/common/run/server.ts';
import { createIssuer, settingsSchema } from './issuer.ts';

const settings = parseConfig(settingsSchema);
const log = createLog('issuer', settings.LOG_LEVEL);
const close = listen(createHttpServer(createIssuer(settings)), settings.HOST, settings.PORT, () =>
  log.warn({ url: settings.OIDC_ISSUER }, 'listening: anyone may sign in here as anyone; not for real use'),
);
endOnSignal(log, () => close(2_000));
