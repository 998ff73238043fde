import { parseConfig } from '@blog/common/config.ts';
import { openData } from '@blog/common/data.ts';
import { createLog } from '@blog/common/log.ts';
import { startServer } from '@blog/common/server.ts';
import { startTracing } from '@blog/common/tracing.ts';
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
