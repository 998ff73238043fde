// A fake subscriber that takes a stopped part's port and gives the bus wrong answers.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

const DRIP_MS = 50;
const json = { 'content-type': 'application/json' };

type Answer = (res: ServerResponse, req: IncomingMessage) => unknown;
const ANSWERS = {
  '500': (res) => res.writeHead(500).end(),
  '404': (res) => res.writeHead(404).end(),
  '429': (res) => res.writeHead(429, { 'retry-after': '1' }).end(),
  '503': (res) => res.writeHead(503, { 'retry-after': '3600' }).end(),
  '301': (res) => res.writeHead(301, { location: '/events/elsewhere' }).end(),
  'bare 200': (res) => res.end(),
  'broken JSON': (res) => res.writeHead(200, json).end('{"checkpoint": "1-'),
  'not HTTP': (res) => res.socket?.end('Hello?\r\n\r\n'),
  'another history': (res) => res.writeHead(200, json).end(`{"checkpoint": "1-${'0'.repeat(32)}", "replay": null}`),
  '10 MB': (res) => res.writeHead(200, json).end(' '.repeat(10 * 1024 * 1024)),
  reset: (_, req) => req.socket.resetAndDestroy(),
  hang: () => {},
  dribble: (res) => {
    const timer = setInterval(() => res.write(' '), DRIP_MS);
    res.writeHead(200, json).once('close', () => clearInterval(timer));
  },
} satisfies Record<string, Answer>;
export type Lie = keyof typeof ANSWERS;
export const LIES = Object.keys(ANSWERS) as Lie[];

/** Gives the bus this wrong answer, and other clients none. `told`: the number of wrong answers given. */
export async function startLiar(port: number, lie: Lie) {
  let told = 0;
  const server = createServer((req, res) => {
    if (!req.url?.startsWith('/events')) return void req.socket.destroy();
    told += 1;
    (ANSWERS[lie] as Answer)(res, req);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    told: () => told,
    async close(): Promise<void> {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
