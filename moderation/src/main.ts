import { createLog } from '@blog/common/observe/log.ts';
import { startTracing } from '@blog/common/observe/traces.ts';
import { parseConfig } from '@blog/common/run/config.ts';
import { openData } from '@blog/common/run/data.ts';
import { startServer } from '@blog/common/run/server.ts';
import { createModeration } from './app.ts';
import { configSchema } from './config.ts';
import { migrations } from './schema.ts';

const { HOST, PORT, LOG_LEVEL, DATA_DIR, EVENT_BUS_URL, BUS_TOKEN, BANNED_WORDS, ...settings } =
  parseConfig(configSchema);
const log = createLog('moderation', LOG_LEVEL);
await startTracing('moderation', settings, log);
const db = openData(DATA_DIR, 'moderation', migrations);
const { app, loops } = createModeration({
  db,
  log,
  bus: { url: EVENT_BUS_URL, token: BUS_TOKEN },
  bannedWords: BANNED_WORDS,
});

startServer({ app, host: HOST, port: PORT, allowedHosts: settings.ALLOWED_HOSTS, log, db, loops });
