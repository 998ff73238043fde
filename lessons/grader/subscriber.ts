// A subscriber of the grader: a real HTTP server that does what a check tells it to, and notes what it gets.
import http from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { type Event, keyOf } from './events.ts';
import { parseJson } from './request.ts';
import type { Run } from './run.ts';

/** The reaction to one delivery: an answer with this status, a reset connection, or no answer at all. */
export type Reaction = number | 'reset' | 'hang';

export type Delivery = {
  key: string;
  event: Event;
  /** The number of times that this event has come, this one included. */
  time: number;
  /** The number of different events that it had taken before. */
  after: number;
  headers: http.IncomingHttpHeaders;
  reaction?: Reaction;
};

/** The number of attempts at one event that count as progress: on a slow machine the bus may miss an answer, and repeat. */
const ATTEMPTS = 10;

const NO_CHECKPOINT = { status: 404, text: '{}' };

export class Subscriber {
  readonly name: string;
  readonly url: string;
  /** All that came, in order, whatever the answer was. */
  readonly deliveries: Delivery[] = [];
  /** The keys of the events that were answered with a 2xx, in order, with repetitions. */
  readonly taken: string[] = [];
  /** Requests that it does not know: `GET /`, `POST /events/events`. */
  readonly strange: string[] = [];
  /** The most deliveries that were under way at once. */
  mostAtOnce = 0;
  /** The reaction to each delivery; takes it unless set. */
  react: (delivery: Delivery) => Reaction | Promise<Reaction> = () => 200;
  /** The checkpoint of one that keeps one, `'0'` at its beginning. */
  checkpoint: string | undefined;
  /** The answer to the question for a checkpoint, of one that keeps none. */
  answer = NO_CHECKPOINT;
  /** The number of times that it was asked for its checkpoint. */
  asked = 0;
  #run: Run;
  #port: number;
  #server: http.Server | undefined;
  #underWay = 0;
  #times = new Map<string, number>();
  #seen = new Set<string>();
  #ignored = new Set<string>();

  constructor(run: Run, name: string, port: number) {
    this.#run = run;
    this.#port = port;
    this.name = name;
    this.url = `http://127.0.0.1:${port}/events`;
    run.onEnd(() => this.#close());
  }

  /** Begins the next check of a scene: events of earlier ones are taken, but not noted. */
  begin(ignored: Set<string>): void {
    this.forget();
    this.#ignored = ignored;
    this.strange.length = 0;
    this.mostAtOnce = 0;
    this.asked = 0;
    this.react = () => 200;
    this.answer = NO_CHECKPOINT;
  }

  /** Forgets what it has got, as one that loses its database. */
  forget(): void {
    this.deliveries.length = 0;
    this.taken.length = 0;
    this.#times.clear();
    this.#seen.clear();
  }

  /** Listens: it is there. */
  async open(): Promise<void> {
    const server = http.createServer((req, res) => this.#receive(req, res));
    server.keepAliveTimeout = 60_000;
    this.#server = server;
    for (;;) {
      const error = await new Promise<Error | undefined>((resolve) => {
        server.once('error', resolve);
        server.listen(this.#port, '127.0.0.1', () => resolve(undefined));
      });
      server.removeAllListeners('error');
      if (!error) return;
      await delay(50);
    }
  }

  /** Goes away: connections are reset, and new ones refused. */
  async goAway(): Promise<void> {
    this.#run.recorder.event('pause', this.name, 'is away');
    await this.#close();
  }

  async comeBack(): Promise<void> {
    await this.open();
    this.#run.recorder.event('resume', this.name, 'is back');
  }

  async #close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  /** The number of times that an event was delivered. */
  times(key: string): number {
    return this.#times.get(key) ?? 0;
  }

  /** True if an event was delivered and answered with a 2xx. */
  took(key: string): boolean {
    return this.#seen.has(key);
  }

  async #receive(req: http.IncomingMessage, res: http.ServerResponse): Promise<void> {
    res.on('error', () => {});
    const body = await buffer(req).catch(() => undefined);
    if (!body) return; // the bus was killed, or has given up
    if (req.url?.split('?')[0] !== '/events') {
      this.strange.push(`${req.method} ${req.url}`);
      res.writeHead(404).end();
    } else if (req.method === 'GET') this.#answerQuestion(res);
    else if (req.method === 'POST') await this.#take(String(body), req, res);
    else res.writeHead(405).end();
  }

  #answerQuestion(res: http.ServerResponse): void {
    this.asked += 1;
    const { checkpoint } = this;
    const { status, text } =
      checkpoint === undefined ? this.answer : { status: 200, text: JSON.stringify({ checkpoint }) };
    const { recorder } = this.#run;
    const number = recorder.request('bus', this.name, 'GET /events');
    recorder.answer(number, checkpoint === undefined ? String(status) : `checkpoint ${checkpoint.split('-')[0]}`);
    res.writeHead(status, { 'content-type': 'application/json' }).end(text);
  }

  /** One event, or several in one request: a bus may send more than one to a subscriber that keeps a checkpoint. */
  async #take(text: string, req: http.IncomingMessage, res: http.ServerResponse): Promise<void> {
    const body = parseJson(text);
    const events = (Array.isArray(body) ? body : [body]) as Event[];
    const deliveries = events.flatMap((event): Delivery[] => {
      const key = keyOf(event);
      if (this.#ignored.has(key)) return [];
      const time = this.times(key) + 1;
      this.#times.set(key, time);
      return [{ key, event, time, after: this.#seen.size, headers: req.headers }];
    });
    this.deliveries.push(...deliveries);
    if (deliveries.some(({ time }) => time <= ATTEMPTS)) this.#run.progress += 1;
    const keys = deliveries.map(({ key }) => key);
    const { recorder } = this.#run;
    const number = recorder.request(
      'bus',
      this.name,
      `POST /events ${keys.join(', ') || 'an event of an earlier check'}`,
      keys,
    );
    this.#underWay += 1;
    res.on('close', () => {
      this.#underWay -= 1;
      recorder.answer(number, 'no answer', 'no answer');
    });
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#underWay);
    let reaction: Reaction = 200;
    for (const delivery of deliveries) {
      delivery.reaction = await this.react(delivery);
      if (reaction === 200) reaction = delivery.reaction;
    }
    if (reaction === 'hang') return;
    if (reaction === 'reset') return void res.destroy();
    if (res.destroyed) return;
    if (reaction < 300) this.#effect(deliveries);
    recorder.answer(number, String(reaction));
    const { checkpoint } = this;
    res.writeHead(reaction, { 'content-type': 'application/json' }).end(JSON.stringify({ checkpoint }));
  }

  #effect(deliveries: Delivery[]): void {
    for (const { key } of deliveries) {
      this.taken.push(key);
      if (!this.#seen.has(key)) this.#run.progress += 1;
      this.#seen.add(key);
    }
    const upto = deliveries.at(-1)?.headers['event-upto'];
    if (this.checkpoint !== undefined && typeof upto === 'string') this.checkpoint = upto;
  }
}
