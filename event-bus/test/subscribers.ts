// Fake subscribers of both kinds, with changeable answers.

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Event = { id: string; source: string; type: string; data: unknown };
export type Push = { method: string; headers: IncomingHttpHeaders; batch: boolean; events: Event[] };
type Answer = (push: Push, res: ServerResponse) => void;

export function json(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** An address that the bus delivers to. Its answers can be changed at any time. */
export class Part {
  answer: Answer;
  /** All pushes, whatever their answer. */
  pushes: Push[] = [];
  asked = 0;
  #port = 0;
  #server = createServer(async (req, res) => {
    let text = '';
    for await (const chunk of req) text += chunk;
    const body = text === '' ? [] : JSON.parse(text);
    const push = { method: req.method ?? '', headers: req.headers, batch: Array.isArray(body), events: [body].flat() };
    if (push.method === 'POST') this.pushes.push(push);
    else this.asked += 1;
    this.answer(push, res);
  });

  constructor(answer: Answer) {
    this.answer = answer;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/events`;
  }

  async up(): Promise<this> {
    await once(this.#server.listen(this.#port, '127.0.0.1'), 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  async down(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server.close(), 'close');
    this.#server.closeAllConnections();
    await closed;
  }

  /** Gives this answer to the next pushes, or to all until changed, and then the usual one again. */
  fail(failure: Answer, times = Number.POSITIVE_INFINITY): void {
    const usual = this.answer;
    let left = times;
    this.answer = (push, res) => {
      if (push.method === 'GET') return usual(push, res);
      if (left === 0) this.answer = usual;
      left -= 1;
      (left < 0 ? usual : failure)(push, res);
    };
  }

  get ids(): string[][] {
    return this.pushes.map(({ events }) => events.map(({ id }) => id));
  }
}

/** Processes a push as usual, but loses the answer. */
export const lose =
  (answer: Answer): Answer =>
  (push, res) =>
    answer(push, { writeHead: () => ({ end: () => res.destroy() }) } as unknown as ServerResponse);

const position = (checkpoint: string) => Number.parseInt(checkpoint, 10);

/**
 * A checkpointed subscriber: applies batches that follow on or answers 409, and takes each replay order once and only
 * backwards.
 */
export function checkpointed(checkpoint = '0', replay: string | null = null, handles?: string[]) {
  const progress = { checkpoint, replay };
  const applied: string[] = [];
  const answer: Answer = ({ method, headers, events }, res) => {
    if (method === 'GET') return json(res, 200, { ...progress, handles });
    const [after, upto, order] = ['after', 'upto', 'replay'].map((name) => headers[`event-${name}`] as string);
    const apply = () => applied.push(...events.map(({ id }) => id));
    if (!after || !upto) {
      apply();
      return json(res, 200, { status: 'OK' });
    }
    if (order && order !== progress.replay && position(after) <= position(progress.checkpoint)) {
      Object.assign(progress, { checkpoint: after, replay: order });
    }
    const joins = progress.checkpoint === after || (progress.checkpoint === '0' && position(after) === 0);
    if (joins) {
      apply();
      progress.checkpoint = upto;
    }
    json(res, joins ? 200 : 409, progress);
  };
  return { progress, applied, answer };
}

/** A classic subscriber: no checkpoints, one event per POST. */
export function plain() {
  const applied: string[] = [];
  const answer: Answer = ({ method, events }, res) => {
    if (method !== 'POST') return void res.writeHead(404).end();
    applied.push(...events.map(({ id }) => id));
    res.writeHead(201).end('thanks');
  };
  return { applied, answer };
}
