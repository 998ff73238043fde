// The stage of a check of a service: the graded service, the grader's bus before it, and a caller.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Failed, type Part } from '../check.ts';
import { type Event, listed } from '../events.ts';
import type { Program } from '../program.ts';
import { type Answer, isSuccess, shown } from '../request.ts';
import type { Run } from '../run.ts';
import { describe, Names, nameOf } from './names.ts';
import { checkpointAt, positionOf, StubBus } from './stub-bus.ts';

type Options = {
  /** A classic bus: events without ids and positions, each sent once. */
  isClassic?: boolean;
  /** A bus of step 7: it asks for the checkpoint, and names it with each delivery. */
  asksCheckpoint?: boolean;
  /** Events that are in the log before the service starts. */
  history?: Event[];
};

/** The number of times that an event is sent again, and the pause between them in milliseconds. */
const ATTEMPTS = 10;
const PAUSE = 100;

export class ServiceStage {
  readonly run: Run;
  readonly service: Program;
  readonly bus: StubBus;
  /** The number of events that the service has, as the bus knows. */
  position = 0;
  /** The number of events from before this check. */
  first = 0;
  #options: Options;
  #noted = '';
  #checks = 0;

  constructor(run: Run, service: Program, bus: StubBus, options: Options) {
    this.run = run;
    this.service = service;
    this.bus = bus;
    this.#options = options;
  }

  /** Begins the next check of a scene. */
  async next(): Promise<void> {
    const { bus } = this;
    this.#checks += 1;
    bus.names = new Names(this.#checks);
    bus.publications = [];
    bus.reaction = 'takes';
    this.#noted = '';
    await this.deliver();
    this.first = bus.log.length;
  }

  async call(method: 'GET' | 'POST', path: string, body?: string | object, name?: string) {
    const { names } = this.bus;
    const text = `${method} ${path}${name ? ` ${name}` : ''}`;
    const sent = typeof body === 'object' ? JSON.stringify(names.encode(body)) : body;
    const request = { method, path: names.encode(path), body: sent };
    const answer = await this.run.request('caller', this.service, request, { text, events: name ? [name] : [] });
    return { ...answer, body: names.decode(answer.body) };
  }

  /** Reads JSON from a route of the service. */
  async read(path: string): Promise<unknown> {
    const answer = await this.call('GET', path);
    if (answer.status === 200 && answer.body !== undefined) return answer.body;
    throw new Failed(`GET ${path}`, '200 and JSON', answer.status === 200 ? 'no JSON' : shown(answer));
  }

  /** Notes what a route has shown, if it is something new, for the report. */
  note(names: string[]): void {
    const text = `shows ${listed(names)}`;
    if (text !== this.#noted) this.run.recorder.event('note', this.service.part, text);
    this.#noted = text;
  }

  /** Sends one event of the log once, as the bus does. */
  push(event: Event): Promise<Answer> {
    const { isClassic, asksCheckpoint } = this.#options;
    const position = typeof event.position === 'number' ? event.position : undefined;
    const headers =
      asksCheckpoint && position !== undefined
        ? { 'event-after': checkpointAt(position - 1), 'event-upto': checkpointAt(position) }
        : {};
    const { id, position: _, ...plain } = event;
    const body = JSON.stringify(isClassic ? plain : event);
    const named = this.bus.names.decode(event);
    const told = { text: `POST /events ${describe(named)}`, events: [nameOf(named)] };
    return this.run.request('bus', this.service, { method: 'POST', path: '/events', body, headers }, told);
  }

  /** Puts events into the log, as if another service had published them, and delivers what the service does not have. */
  async deliver(...events: Event[]): Promise<void> {
    for (const event of events) this.bus.append(event);
    await this.#deliverUpTo(Number.POSITIVE_INFINITY);
  }

  /** Delivers one event of the log, however often it was delivered before. */
  async deliverAgain(event: Event): Promise<void> {
    this.position = this.bus.log.indexOf(event);
    await this.#deliverUpTo(this.position + 1);
  }

  async #deliverUpTo(end: number): Promise<void> {
    for (let attempt = 1; this.position < Math.min(end, this.bus.log.length); ) {
      const event = this.bus.log[this.position] as Event;
      const answer = await this.push(event);
      if (isSuccess(answer) || this.#options.isClassic) {
        this.position += 1;
        attempt = 1;
      } else if (attempt === ATTEMPTS) {
        const named = this.bus.names.decode(event);
        const seen = `${shown(answer)}, again and again`;
        throw new Failed(`POST /events ${describe(named)}`, 'any 2xx', seen, [nameOf(named)]);
      } else {
        attempt += 1;
        await delay(PAUSE);
        if (this.#options.asksCheckpoint) await this.ask();
      }
    }
  }

  /** Asks for the checkpoint; a service that keeps none has the bus's own position. */
  async ask(): Promise<void> {
    const request = { method: 'GET', path: '/events' };
    const answer = await this.run.request('bus', this.service, request);
    const { checkpoint } = (answer.status === 200 ? (answer.body ?? {}) : {}) as { checkpoint?: unknown };
    const position = positionOf(checkpoint);
    if (position !== undefined && position <= this.bus.log.length) this.position = position;
  }

  /** Sends the last events once more, as a bus does that has died between a push and its position. */
  async repeat(count: number): Promise<void> {
    this.position -= count;
    await this.deliver();
  }

  /** Waits until events of this type were stored for all these names. */
  published(type: string, names: string[]): Promise<boolean> {
    return this.run.until(() => names.every((name) => this.bus.stored(type).includes(name)));
  }

  kill = () => this.run.kill(this.service);

  async restart(): Promise<void> {
    this.bus.readable = this.bus.log.length;
    await this.run.restart(this.service);
    if (this.#options.asksCheckpoint) await this.ask();
  }

  /** Loses everything that the service has stored. It must not run. */
  loseData(): void {
    this.run.recorder.event('note', this.service.part, 'its DATA_DIR is lost');
    for (const name of readdirSync(this.service.dataDir))
      rmSync(join(this.service.dataDir, name), { recursive: true, force: true });
  }
}

/** Starts a service with a bus before it, or goes on with those that the check before has left. */
export async function startService(run: Run, part: Part, options: Options = {}): Promise<ServiceStage> {
  const kept = run.kept as ServiceStage | undefined;
  if (kept) {
    await kept.next();
    return kept;
  }
  const bus = new StubBus(run, part, options.isClassic ?? false);
  for (const event of options.history ?? []) bus.append(event);
  bus.readable = bus.log.length;
  const service = await run.program(part, { EVENT_BUS_URL: await bus.listen() });
  const stage = new ServiceStage(run, service, bus, options);
  run.recorder.event('start', part, 'starts');
  await service.start();
  if (options.asksCheckpoint) await stage.ask();
  run.kept = stage;
  return stage;
}
