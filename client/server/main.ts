import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseConfig } from '@blog/common/config.ts';
import { createHttpServer } from '@blog/common/limits.ts';
import { createLog, requestLines } from '@blog/common/log.ts';
import { isLoopback } from '@blog/common/origins.ts';
import { closeable } from '@blog/common/server.ts';
import { createGateway } from './gateway.ts';
import { openBuiltPage, SECURITY_HEADERS } from './page-built.ts';
import { isViteSocket, openDevPage } from './page-dev.ts';
import { settingsSchema } from './settings.ts';

/** How long requests in flight may take at the end, in milliseconds. */
const GRACE = 1_500;

const production = process.argv.includes('--production');
const settings = parseConfig(settingsSchema);
const log = createLog('client', settings.LOG_LEVEL);
const gateway = createGateway({
  urls: {
    posts: settings.POSTS_URL,
    comments: settings.COMMENTS_URL,
    query: settings.QUERY_URL,
    moderation: settings.MODERATION_URL,
    'event-bus': settings.EVENT_BUS_URL,
  },
  control: settings.CONTROL === 'on',
  loopback: isLoopback(settings.HOST),
  headers: production ? SECURITY_HEADERS : undefined,
});

// Without a listener of its upgrade a server upgrades nothing.
const server = createHttpServer(undefined, production ? {} : { shouldUpgradeCallback: isViteSocket });
const page = production ? { ...(await openBuiltPage()), close: undefined } : await openDevPage(server);
const close = closeable(server);
const answering = new Set<ServerResponse>();
const tell = requestLines(log);

server.on('request', (req, res) => {
  answering.add(res);
  res.on('close', () => answering.delete(res));
  tell?.(req, res);
  gateway(req, res, () => page.serve(req, res, () => undefined));
});
server.on('error', (error: NodeJS.ErrnoException) => {
  const taken = error.code === 'EADDRINUSE';
  process.stderr.write(taken ? `Port ${settings.PORT} is already in use.\n` : `Cannot listen: ${error.message}\n`);
  process.exit(1);
});
server.listen(settings.PORT, settings.HOST, () => {
  const { port } = server.address() as AddressInfo;
  log.info({ url: `http://${settings.HOST}:${port}`, pid: process.pid }, 'listening');
});

let stopping = false;
async function end(signal: string) {
  if (stopping) return;
  stopping = true;
  log.info({ signal }, 'stopping');
  // Streams never end by themselves; what they leave open here, their readers open again at the next process.
  for (const res of answering) if (isStream(res)) res.destroy();
  await Promise.all([close(GRACE), page.close?.()]);
  process.exit(0);
}
process.on('SIGTERM', end);
process.on('SIGINT', end);

const isStream = (res: ServerResponse) => String(res.getHeader('content-type')).startsWith('text/event-stream');
