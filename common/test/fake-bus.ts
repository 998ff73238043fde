// A small bus of its own for tests: real HTTP, and made to fail.
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A checkpoint of the history that tests use, or of another one. */
export const at = (position: number, history = 'a') => `${position}-${history.repeat(32)}`;

// biome-ignore lint/suspicious/noExplicitAny: events of any kind, as they came
export type Json = any;
export type Publication = { headers: IncomingHttpHeaders; body: Json };
type Answer = { status: number; headers?: Record<string, string>; body?: unknown };

/**
 * How a publication is answered: like our bus, like the classic one (200, whatever it understood), never, or with this
 * answer; a function decides for each one.
 */
export type Mode = 'ours' | 'classic' | 'hangs' | Answer;

export class FakeBus {
  mode: Mode | ((publication: Publication) => Mode) = 'ours';
  /** Every `POST /events` that came, in order; and the events that were taken, each once. */
  publications: Publication[] = [];
  log: Json[] = [];
  /** How often it was asked for its events; and which history its checkpoints are of. */
  questions = 0;
  history = 'a';
  #server: Server;

  constructor() {
    this.#server = createServer(async (req, res) => {
      const body = JSON.parse((await text(req)) || 'null');
      const publication = { headers: req.headers, body };
      if (req.method === 'POST') this.publications.push(publication);
      else this.questions += 1;
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
    const places = Array.isArray(body) ? { positions } : { position: positions[0] };
    return { status: 201, body: { status: 'OK', ...places, checkpoint: at(Math.max(...positions)) } };
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Listens, on the port that it had before if `port` is given. */
  async open(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    return this;
  }

  /** Goes away; connections are cut. */
  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
