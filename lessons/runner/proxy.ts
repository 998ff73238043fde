// A proxy between the programs of a lesson: it sees each exchange, and can hold one, so that a kill comes at an exact point.
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { HOST } from '../../scripts/lib/part-process.ts';

export type Event = {
  type?: string;
  data?: { id?: unknown; postId?: unknown; title?: unknown; content?: unknown; status?: unknown } | null;
};
/** A request from one program to another. */
type Exchange = { from: string; to: string; method: string; event: Event };

type Hold = {
  /** `request`: before it is passed on; `answer`: after the other program has done its work. */
  at: 'request' | 'answer';
  fits(exchange: Exchange): boolean;
  reached: () => void;
  end: Promise<void>;
};

/** `portOf`: the port of a program. */
export async function startProxy(portOf: (name: string) => number) {
  const holds = new Set<Hold>();
  const exchanges: Exchange[] = [];
  let open = 0;
  let moves = 0;

  /** Waits at a hold; answers whether there was one: the exchange is then cut, as by a dead connection. */
  async function isCut(at: Hold['at'], exchange: Exchange): Promise<boolean> {
    const hold = [...holds].find((one) => one.at === at && one.fits(exchange));
    if (!hold) return false;
    holds.delete(hold);
    hold.reached();
    await hold.end;
    return true;
  }

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    // http://proxy/FROM/TO/path
    const [, from = '', to = '', ...path] = (req.url ?? '').split('/');
    const body = await buffer(req);
    const exchange = { from, to, method: req.method ?? '', event: parse(body) };
    if (await isCut('request', exchange)) return void res.destroy();
    const { host: _, connection: __, ...headers } = req.headers;
    const passed = request({
      ...{ host: HOST, port: portOf(to), path: `/${path.join('/')}`, method: req.method, headers },
      agent: false, // a connection each: none is left over from a process that was killed
    });
    passed.on('error', () => {}); // the wait for its answer reports the first one
    res.once('close', () => passed.destroy());
    passed.end(body);
    const [answer] = (await once(passed, 'response')) as [IncomingMessage];
    const content = await buffer(answer);
    if (await isCut('answer', exchange)) return void res.destroy();
    const { connection: ___, 'transfer-encoding': ____, ...answered } = answer.headers;
    res.writeHead(answer.statusCode ?? 502, { ...answered, 'content-length': content.length }).end(content);
    if (exchange.method !== 'POST' || (answer.statusCode ?? 500) >= 300) return;
    exchanges.push(exchange);
    moves += 1;
  }

  const server = createServer((req, res) => {
    open += 1;
    handle(req, res)
      .catch(() => res.destroy()) // the other program does not run, or was killed
      .finally(() => {
        open -= 1;
      });
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    url: (from: string, to: string) => `http://${HOST}:${port}/${from}/${to}`,
    /** The exchanges that had a 2xx, in the order of their answers. */
    exchanges: () => exchanges,
    /** A number that grows with each POST that had a 2xx. */
    moves: () => moves,
    isIdle: () => open === 0,

    /** Holds the next exchange that fits; `cut` ends its connection without an answer. */
    hold(at: Hold['at'], fits: Hold['fits']) {
      const [reached, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      holds.add({ at, fits, reached: reached.resolve, end: ended.promise });
      return { reached: reached.promise, cut: ended.resolve };
    },

    close(): void {
      server.close();
      server.closeAllConnections();
    },
  };
}

function parse(body: Buffer): Event {
  try {
    return JSON.parse(body.toString()) ?? {};
  } catch {
    return {};
  }
}
