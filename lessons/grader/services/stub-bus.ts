// The bus that a graded service talks to: real HTTP, a log in memory, and the faults that a check needs. It delivers when told to.
import { hash } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { Event } from '../events.ts';
import { parseJson } from '../request.ts';
import type { Run } from '../run.ts';
import { describe, Names, nameOf } from './names.ts';

/** The reaction to a publication: stored; 500; no answer; no connection; stored, but the answer is lost. */
export type Reaction = 'takes' | 'refuses' | 'hangs' | 'is away' | 'loses the answer';

/** The digits by which checkpoints name this log. */
const LOG = hash('md5', 'the log of the grader');

/** The checkpoint behind so many events. */
export const checkpointAt = (position: number): string => (position === 0 ? '0' : `${position}-${LOG}`);

/** The position of a checkpoint of this log, or of a new subscriber; undefined for anything else. */
export function positionOf(checkpoint: unknown): number | undefined {
  if (checkpoint === '0') return 0;
  const [, position, log] = /^(\d+)-([0-9a-f]{32})$/.exec(String(checkpoint)) ?? [];
  return log === LOG ? Number(position) : undefined;
}

export class StubBus {
  /** All events, as they are delivered and as `GET /events` answers them. */
  readonly log: Event[] = [];
  /** All attempts to publish in this check, whatever the reaction was. */
  publications: Event[] = [];
  names = new Names(0);
  /** The number of events that `GET /events` answers: later ones only come by deliveries, whenever the log is read. */
  readable = 0;
  #run: Run;
  #party: string;
  #isClassic: boolean;
  #server: http.Server;
  #reaction: Reaction = 'takes';
  #held = new Set<http.ServerResponse>();

  /** `party` publishes. `isClassic`: events are kept as they came, without ids and positions, also those that come twice. */
  constructor(run: Run, party: string, isClassic: boolean) {
    this.#run = run;
    this.#party = party;
    this.#isClassic = isClassic;
    this.#server = http.createServer((request, response) => this.#serve(request, response));
    this.#server.on('connection', (socket) => this.#reaction === 'is away' && socket.destroy());
    run.onEnd(() => this.#close());
  }

  async listen(): Promise<string> {
    const port = await this.#run.freePort();
    await new Promise<void>((resolve, reject) =>
      this.#server.once('error', reject).listen(port, '127.0.0.1', () => resolve()),
    );
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  #close(): Promise<unknown> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    return closed;
  }

  /** Changes the reaction to publications. Those that wait for an answer are reset. */
  set reaction(reaction: Reaction) {
    if (reaction === this.#reaction) return;
    const { recorder } = this.#run;
    if (this.#reaction === 'is away') recorder.event('resume', 'bus', 'is back');
    this.#reaction = reaction;
    if (reaction === 'is away') recorder.event('pause', 'bus', 'is away');
    for (const response of this.#held) response.destroy();
    this.#held.clear();
    if (reaction === 'is away') this.#server.closeAllConnections();
  }

  /** True while a publication waits for its answer. */
  get isHolding(): boolean {
    return this.#held.size > 0;
  }

  /** Stores an event of the check, and returns it as it is delivered. */
  append(event: Event): Event {
    return this.#store(this.names.encode(event));
  }

  /** One whose id is in the log already is not stored again, except by a classic bus. */
  #store(event: Event): Event {
    const id = event.id ?? `event-${this.log.length + 1}`;
    const earlier = this.#isClassic ? undefined : this.log.find((stored) => stored.id === id);
    if (earlier) return earlier;
    const stored = this.#isClassic ? event : { ...event, id, position: this.log.length + 1 };
    this.log.push(stored);
    return stored;
  }

  /** The stored events of a type, by their names. */
  stored(type: string): string[] {
    return this.log.filter((event) => event.type === type).map((event) => nameOf(this.names.decode(event)));
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    response.on('error', () => {});
    const body = await buffer(request).catch(() => undefined);
    if (!body) return; // the service was killed
    const path = request.url?.split('?')[0];
    if (path !== '/events') answer(response, 404, {});
    else if (request.method === 'POST') this.#take(String(body), response);
    else if (request.method === 'GET') answer(response, 200, this.log.slice(0, this.readable));
    else answer(response, 405, {});
  }

  #take(text: string, response: http.ServerResponse): void {
    const { recorder } = this.#run;
    const given = parseJson(text) as Event | undefined;
    const event = this.names.decode(given);
    const name = nameOf(event);
    const number = recorder.request(this.#party, 'bus', `POST /events ${describe(event)}`, [name]);
    const reply = (status: number, body: unknown) => {
      recorder.answer(number, String(status));
      answer(response, status, body);
    };
    if (typeof given?.type !== 'string' || !event) {
      reply(400, { error: 'An event must be a JSON object with a type.' });
      return;
    }
    this.publications.push(event);
    this.#run.progress += 1;
    const reaction = this.#reaction;
    if (reaction === 'takes' || reaction === 'loses the answer') this.#store(given);
    response.on('close', () => recorder.answer(number, 'no answer', 'no answer'));
    if (reaction === 'takes') reply(200, { status: 'OK' });
    else if (reaction === 'refuses') reply(500, {});
    else if (reaction === 'hangs') this.#held.add(response);
    else response.destroy();
  }
}

function answer(response: http.ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
