// Starts the client's part in development and in production mode: the page and the gateway on one port.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseTraceparent, traceIdOf } from '@blog/common/core/events.ts';
import { isForLocalhost, isLoopback } from '@blog/common/http/access.ts';
import { createHttpServer } from '@blog/common/http/limits.ts';
import { createLog, logRequest } from '@blog/common/observe/log.ts';
import { parseConfig } from '@blog/common/run/config.ts';
import { endOnSignal, listen } from '@blog/common/run/server.ts';
import { createGateway } from './gateway.ts';
import { openBuiltPage, SECURITY_HEADERS } from './page-built.ts';
import { isViteSocket, openDevPage } from './page-dev.ts';
import { settingsSchema } from './settings.ts';

/** Graceful shutdown: the time given to requests in flight, in milliseconds. */
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
  allowedHosts: settings.ALLOWED_HOSTS,
  headers: production ? SECURITY_HEADERS : undefined,
});

// A server without a listener for `upgrade` upgrades nothing.
const isUpgraded = (req: IncomingMessage) => isViteSocket(req) && isForLocalhost(req, settings.ALLOWED_HOSTS);
const server = createHttpServer(undefined, production ? {} : { shouldUpgradeCallback: isUpgraded });
const page = production
  ? { ...(await openBuiltPage()), close: undefined }
  : await openDevPage(server, settings.ALLOWED_HOSTS);
const answering = new Set<ServerResponse>();

server.on('request', (req, res) => {
  answering.add(res);
  const { method = '', url = '' } = req;
  const began = performance.now();
  res.on('close', () => {
    answering.delete(res);
    const traceId = traceIdOf(parseTraceparent(req.headers.traceparent));
    logRequest(log, method, url, res.statusCode, performance.now() - began, traceId);
  });
  gateway(req, res, () => page.serve(req, res, () => undefined));
});
const close = listen(server, settings.HOST, settings.PORT, () => {
  log.info({ url: `http://${settings.HOST}:${settings.PORT}`, pid: process.pid }, 'listening');
});

endOnSignal(log, async () => {
  // Streams never end by themselves. Their readers reconnect, to the next process.
  for (const res of answering) if (isStream(res)) res.destroy();
  await Promise.all([close(GRACE), page.close?.()]);
});

const isStream = (res: ServerResponse) => String(res.getHeader('content-type')).startsWith('text/event-stream');
