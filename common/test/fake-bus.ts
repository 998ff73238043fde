// A small fake bus over real HTTP, which can be made to fail.
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A checkpoint of the tests' history, or of another one. */
export const at = (position: number, history = 'a') => `${position}-${history.repeat(32)}`;

// biome-ignore lint/suspicious/noExplicitAny: events of any kind, as they came
export type Json = any;
export type Publication = { headers: IncomingHttpHeaders; body: Json };
type Answer = { status: number; headers?: Record<string, string>; body?: unknown };

/**
 * The answer to publications: like our bus, like the classic one (200 to anything), none, or this one; a function
 * decides for each publication.
 */
export type Mode = 'ours' | 'classic' | 'hangs' | Answer;

export class FakeBus {
  mode: Mode | ((publication: Publication) => Mode) = 'ours';
  /** All `POST /events` in order; and the accepted events, each once. */
  publications: Publication[] = [];
  log: Json[] = [];
  /** The number of `GET /events`, the copies that have asked, and the history to which its checkpoints belong. */
  questions = 0;
  askedBy: unknown[] = [];
  history = 'a';
  #server: Server;

  constructor() {
    this.#server = createServer(async (req, res) => {
      const body = JSON.parse((await text(req)) || 'null');
      const publication = { headers: req.headers, body };
      if (req.method === 'POST') this.publications.push(publication);
      else this.questions += 1;
      if (req.method === 'GET') this.askedBy.push(req.headers['event-publisher']);
      const mode = typeof this.mode === 'function' ? this.mode(publication) : this.mode;
      if (mode === 'hangs') return;
      const { status, headers, body: answer } = this.#answer(mode, req.method === 'POST', body);
      res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(answer ?? {}));
    });
  }

  #answer(mode: Exclude<Mode, 'hangs'>, publishes: boolean, body: Json): Answer {
    if (typeof mode === 'object') return mode;
    const head = at(this.log.length, this.history);
    if (!publishes) {
      const body = mode === 'classic' ? this.log : this.log.map((event, i) => ({ position: i + 1, ...event }));
      return { status: 200, headers: mode === 'classic' ? {} : { 'event-head': head }, body };
    }
    if (mode === 'classic') {
      this.log.push(body);
      return { status: 200, body: { status: 'OK' } };
    }
    const positions = [body].flat().map((event) => {
      const there = this.log.findIndex(({ source, id }) => source === event.source && id === event.id);
      return there === -1 ? this.log.push(event) : there + 1;
    });
    const answer = Array.isArray(body) ? { positions } : { position: positions[0] };
    return { status: 201, body: { status: 'OK', ...answer, checkpoint: at(Math.max(...positions)) } };
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Listens, with `port` on the port that it had before. */
  async open(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    return this;
  }

  /** Stops; connections are cut. */
  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
