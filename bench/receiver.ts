// Receives spans (OTLP over HTTP, JSON) and only counts them, to cost the machine little: GET returns the count.
import { createServer } from 'node:http';
import { HOST } from '../scripts/lib/part-process.ts';

let spans = 0;
const ENDED = '"endTimeUnixNano"'; // once in each span

createServer((req, res) => {
  if (req.method === 'GET') return void res.setHeader('content-type', 'application/json').end(`{"spans":${spans}}`);
  const pieces: Buffer[] = [];
  req.on('data', (piece) => pieces.push(piece));
  req.on('end', () => {
    const body = Buffer.concat(pieces);
    for (let at = body.indexOf(ENDED); at >= 0; at = body.indexOf(ENDED, at + ENDED.length)) spans += 1;
    res.setHeader('content-type', 'application/json').end('{}');
  });
}).listen(Number(process.env.PORT), HOST, () => console.log('listening'));
