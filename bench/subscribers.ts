// Four subscribers in one process, fast enough for any bus: they only count events, and answer with a checkpoint as
// ours do. Bare node:http, so that the bus is what is measured. GET / returns the counts.
import { createServer, type IncomingMessage } from 'node:http';

const { HOST, PORT } = process.env;
const MARK = Buffer.from('"specversion"');

const seen = ['/1', '/2', '/3', '/4'].map((path) => ({ path, checkpoint: '0', events: 0 }));

async function count(req: IncomingMessage): Promise<number> {
  const pieces: Buffer[] = [];
  for await (const piece of req) pieces.push(piece);
  const body = Buffer.concat(pieces);
  let events = 0;
  for (let at = body.indexOf(MARK); at >= 0; at = body.indexOf(MARK, at + 1)) events += 1;
  return events;
}

createServer(async (req, res) => {
  res.setHeader('content-type', 'application/json');
  const subscriber = seen.find(({ path }) => path === req.url);
  if (!subscriber) return res.end(JSON.stringify(seen.map(({ events }) => events)));
  if (req.method === 'POST') {
    const events = await count(req);
    const { 'event-after': after, 'event-upto': upto } = req.headers;
    // Only our bus sends checkpoints; a batch that does not follow on is not counted twice.
    if (upto === undefined || subscriber.checkpoint === '0' || subscriber.checkpoint === after) {
      subscriber.events += events;
      subscriber.checkpoint = String(upto ?? '0');
    }
  }
  const { checkpoint } = subscriber;
  res.end(JSON.stringify({ checkpoint, replay: null }));
}).listen(Number(PORT), HOST, () => console.log('listening'));
