import { createLog } from '@blog/common/observe/log.ts';
import { startTracing } from '@blog/common/observe/traces.ts';
import { parseConfig } from '@blog/common/run/config.ts';
import { openData } from '@blog/common/run/data.ts';
import { startServer } from '@blog/common/run/server.ts';
import { createEventBus } from './app.ts';
import { configSchema } from './config.ts';
import { migrations } from './schema.ts';

const { HOST, PORT, LOG_LEVEL, DATA_DIR, BUS_TOKEN, SUBSCRIPTIONS, DELIVERY_TIMEOUT_MS, ...settings } =
  parseConfig(configSchema);
const log = createLog('event-bus', LOG_LEVEL);
await startTracing('event-bus', settings, log);
const db = openData(DATA_DIR, 'event-bus', migrations);
const { app, loops, streams } = createEventBus({
  db,
  log,
  token: BUS_TOKEN,
  subscriptions: SUBSCRIPTIONS,
  deadline: DELIVERY_TIMEOUT_MS,
});

startServer({ app, host: HOST, port: PORT, allowedHosts: settings.ALLOWED_HOSTS, log, db, loops, held: streams });
