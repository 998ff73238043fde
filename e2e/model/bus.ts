import { hash } from 'node:crypto';
import {
  type Answer,
  type Checkpoint,
  type Entry,
  NEW,
  type Publish,
  type Push,
  positionOf,
  type World,
} from './types.ts';

/** How large a batch may grow, and after how many refusals a single event is parked; both smaller than the real ones. */
const LARGEST = 8;
const REFUSALS = 2;

const chain = (before: string, text: string) => hash('sha1', before + text, 'hex').slice(0, 12);

type Order = { id: string; from: number };
type Letter = { subscription: string; entry: Entry };
type Batch = { events: Entry[]; after: number; upto: number };
type InFlight =
  | { kind: 'ask'; exchange: number }
  | { kind: 'push'; exchange: number; batch: Batch; order?: Order }
  | { kind: 'redelivery'; exchange: number; letter: Letter };

/** What a crash of the bus takes from a subscription's loop. */
const newLoop = () => ({
  kind: 'unknown' as 'unknown' | 'checkpointed' | 'plain',
  divergedSubscriber: false,
  divergedPublisher: false,
  size: LARGEST,
  refused: { position: 0, count: 0 },
  inFlight: undefined as InFlight | undefined,
  prepared: undefined as Batch | undefined,
  /** What a person has ordered, done between two exchanges. */
  commands: [] as (() => void)[],
});

export class Bus {
  disk;
  loops = new Map<string, ReturnType<typeof newLoop>>();
  /** Only with planted bugs: acknowledged or passed, but not on disk yet. */
  #uncommitted: { turns: number; write: () => void }[] = [];
  #skipped = new Set<string>();
  #world: World;
  #names: string[];

  constructor(world: World, names: string[]) {
    this.#world = world;
    this.#names = names;
    this.disk = this.empty();
    this.crash();
  }

  empty() {
    const subscriptions = this.#names.map((name) => [name, { position: 0, paused: false }] as const);
    return {
      origin: this.#world.uuid(),
      entries: [] as Entry[],
      subscriptions: new Map<string, { position: number; paused: boolean; order?: Order }>(subscriptions),
      letters: [] as Letter[],
    };
  }

  crash(): void {
    this.loops = new Map(this.#names.map((name) => [name, newLoop()]));
    this.#uncommitted = [];
    this.#skipped.clear();
  }

  // ---- The log

  get head(): Checkpoint {
    return this.at(this.disk.entries.length);
  }

  at(position: number): Checkpoint {
    return `${position}-${this.disk.entries[position - 1]?.checksum ?? this.disk.origin}`;
  }

  knows(checkpoint: Checkpoint): boolean {
    const position = positionOf(checkpoint);
    if (checkpoint === NEW) return true;
    if (position > this.disk.entries.length) return false;
    return this.#world.bugs.has('a restored log is told by positions alone') || this.at(position) === checkpoint;
  }

  publish({ source, events, published }: Publish): Answer {
    const { bugs, assert, uuid, isRefused } = this.#world;
    if (events.some(isRefused)) return { status: 422 };
    const loop = this.loops.get(source);
    if (loop) loop.divergedPublisher = published !== undefined && !this.knows(published);
    if (published && !this.knows(published)) return { status: 412 };
    const entries = [...this.disk.entries];
    const positions: number[] = [];
    for (const event of events) {
      const there = entries.find((entry) => entry.source === source && entry.id === event.id);
      if (there && !bugs.has('the bus does not recognise what it has')) {
        // The content is the type and the data, not the time.
        if (JSON.stringify(there.data) !== JSON.stringify(event.data)) return { status: 409 };
        positions.push(there.position);
        continue;
      }
      const position = entries.length + 1;
      const checksum = chain(entries.at(-1)?.checksum ?? this.disk.origin, JSON.stringify(event));
      entries.push({ ...event, id: event.id ?? uuid(), position, checksum });
      positions.push(position);
    }
    const commit = () => {
      assert(entries.length >= this.disk.entries.length, 'nothing in the log changes');
      this.disk.entries = entries;
    };
    const last = Math.max(...positions);
    const entry = entries[last - 1];
    if (bugs.has('the bus answers before it has committed')) this.#uncommitted.push({ turns: 1, write: commit });
    else commit();
    return { status: 201, checkpoint: `${last}-${entry?.checksum}` };
  }

  // ---- One loop per subscription

  /** The next thing that the loop of this subscription does. */
  turn(name: string): string | undefined {
    const loop = this.loop(name);
    const subscription = this.subscription(name);
    this.#commitLate();
    if (loop.inFlight) {
      if (loop.inFlight.kind !== 'push' || loop.inFlight.order || loop.prepared) return;
      loop.prepared = this.#read(name, loop.inFlight.batch.upto);
      return `prepares behind ${loop.prepared.after}`;
    }
    const command = loop.commands.shift();
    if (command) {
      if (!this.#world.bugs.has('a prepared batch survives a replay')) loop.prepared = undefined;
      command();
      return 'does what a person ordered';
    }
    const { order } = subscription;
    const prepared = loop.prepared;
    loop.prepared = undefined;
    if (loop.kind === 'unknown' || subscription.paused) return this.#ask(name);
    if ((loop.divergedSubscriber || loop.divergedPublisher) && !order) return this.#ask(name);

    const after = order ? order.from - 1 : subscription.position;
    const reuse = prepared && (prepared.after === after || this.#world.bugs.has('a prepared batch survives a replay'));
    const batch = reuse ? prepared : this.#read(name, after);
    if (batch.upto === after && !order) return this.#ask(name);
    const places = { after: this.at(batch.after), upto: this.at(batch.upto) };
    if (loop.kind === 'plain') {
      if (batch.events.length === 0) {
        subscription.position = batch.upto;
        return `passes parked events up to ${batch.upto}`;
      }
      const exchange = this.#world.send('bus', name, { kind: 'push', form: 'plain', events: batch.events, ...places });
      loop.inFlight = { kind: 'push', exchange, batch };
    } else {
      const push: Push = { kind: 'push', form: 'batch', events: batch.events, ...places, replay: order?.id };
      loop.inFlight = { kind: 'push', exchange: this.#world.send('bus', name, push), batch, order };
      if (this.#world.bugs.has('an order is forgotten once it is sent')) this.#forget(name);
    }
    return `pushes ${batch.after}..${batch.upto}${order ? `, order ${order.id}` : ''}`;
  }

  #ask(name: string): string {
    this.loop(name).inFlight = { kind: 'ask', exchange: this.#world.send('bus', name, { kind: 'ask' }) };
    return 'asks';
  }

  #read(name: string, after: number): Batch {
    const { size, kind } = this.loop(name);
    const most = kind === 'plain' ? 1 : size;
    const events: Entry[] = [];
    let upto = after;
    for (const entry of this.disk.entries.slice(after)) {
      const parked = this.isParked(name, entry.position);
      if (!parked && events.length === most) break;
      upto = entry.position;
      if (!parked) events.push(entry);
    }
    if (events.length === 0 && this.#world.bugs.has('parked events at the head are never passed')) upto = after;
    return { events, after, upto };
  }

  isParked(name: string, position: number): boolean {
    const isThis = ({ subscription, entry }: Letter) => subscription === name && entry.position === position;
    return this.disk.letters.some(isThis) || this.#skipped.has(`${name} ${position}`);
  }

  /** The answer to an exchange; one that is no longer waited for has no effect. */
  answered(name: string, exchange: number, answer: Answer): void {
    const loop = this.loop(name);
    const { inFlight } = loop;
    if (inFlight?.exchange !== exchange) {
      const isOld = this.#world.bugs.has('an old answer counts as the stand after a replay') && answer.checkpoint;
      if (isOld) {
        this.#forget(name);
        this.#standsAt(name, answer);
      }
      return;
    }
    loop.inFlight = undefined;
    const isSuccess = answer.status >= 200 && answer.status < 300;
    if (inFlight.kind === 'ask') {
      if (isSuccess && answer.checkpoint) this.#standsAt(name, answer);
      else if (isSuccess || answer.status === 404) this.#isPlain(name);
      else this.#failed(name);
    } else if (inFlight.kind === 'redelivery') {
      if (isSuccess) this.disk.letters = this.disk.letters.filter((letter) => letter !== inFlight.letter);
    } else if (loop.kind === 'plain') {
      if (isSuccess && answer.checkpoint) loop.kind = 'unknown';
      else if (isSuccess) this.#advance(name, inFlight.batch.upto);
      else this.#refused(name, inFlight.batch, answer.status);
    } else if (answer.checkpoint && (isSuccess || answer.status === 409)) {
      this.#standsAt(name, answer);
      // It was not taken: it would have been named.
      if (this.subscription(name).order && inFlight.order && answer.status === 409) this.#forget(name);
      if (isSuccess) loop.size = Math.min(LARGEST, loop.size * 2);
      else this.#failed(name);
    } else if (isSuccess && this.#world.bugs.has('the bus advances on a bare 2xx to a batch')) {
      this.#advance(name, inFlight.batch.upto);
    } else {
      this.#refused(name, inFlight.batch, answer.status);
    }
  }

  timeout(name: string): string | undefined {
    if (!this.loop(name).inFlight) return;
    this.#failed(name);
    return 'waits no longer';
  }

  #failed(name: string): void {
    Object.assign(this.loop(name), { inFlight: undefined, prepared: undefined, kind: 'unknown', size: 1 });
  }

  #refused(name: string, { events }: Batch, status: number): void {
    const loop = this.loop(name);
    const [entry, more] = events;
    this.#failed(name);
    if (!entry || more || status !== 422) return;
    const count = loop.refused.position === entry.position ? loop.refused.count + 1 : 1;
    loop.refused = { position: entry.position, count };
    if (count >= REFUSALS) this.#park(name, entry);
  }

  #park(name: string, entry: Entry): void {
    const write = () => this.disk.letters.push({ subscription: name, entry });
    if (!this.#world.bugs.has('a dead letter is written after the loop moves on')) return void write();
    this.#skipped.add(`${name} ${entry.position}`);
    this.#uncommitted.push({ turns: 20, write });
  }

  #commitLate(): void {
    for (const late of this.#uncommitted) {
      late.turns -= 1;
      if (late.turns === 0) late.write();
    }
    this.#uncommitted = this.#uncommitted.filter(({ turns }) => turns > 0);
  }

  /** The subscriber's own word decides, if this log has that place. */
  #standsAt(name: string, { checkpoint = NEW, replay }: Answer): void {
    const loop = this.loop(name);
    const { order } = this.subscription(name);
    loop.kind = 'checkpointed';
    if (order && replay === order.id) {
      loop.divergedPublisher = false;
      this.#forget(name);
    }
    loop.divergedSubscriber = !this.knows(checkpoint);
    if (!loop.divergedSubscriber) this.#advance(name, positionOf(checkpoint));
  }

  /** A plain subscriber has no stand of its own: an order sets the position. */
  #isPlain(name: string): void {
    const loop = this.loop(name);
    const { order } = this.subscription(name);
    loop.kind = 'plain';
    loop.divergedSubscriber = false;
    if (!order) return;
    this.#advance(name, order.from - 1);
    this.#forget(name);
  }

  #forget(name: string): void {
    this.subscription(name).order = undefined;
  }

  #advance(name: string, position: number): void {
    this.subscription(name).position = position;
  }

  // ---- What a person does

  replay(name: string, from = 1): void {
    this.loop(name).commands.push(() => {
      const subscription = this.subscription(name);
      const most = this.isDiverged(name) ? 1 : subscription.position + 1;
      subscription.order = { id: this.#world.uuid(), from: Math.min(from, most) };
      if (this.loop(name).kind === 'plain') this.#isPlain(name);
    });
  }

  /** Parks by hand the event that the subscription is stuck on. */
  skip(name: string): void {
    this.loop(name).commands.push(() => {
      const [entry] = this.isDiverged(name) ? [] : this.#read(name, this.subscription(name).position).events;
      if (entry) this.#park(name, entry);
    });
  }

  redeliver(letter: Letter): void {
    const name = letter.subscription;
    const loop = this.loop(name);
    loop.commands.push(() => {
      if (!this.disk.letters.includes(letter)) return;
      const push: Push = { kind: 'push', form: 'plain', events: [letter.entry] };
      loop.inFlight = { kind: 'redelivery', exchange: this.#world.send('bus', name, push), letter };
      if (this.#world.bugs.has('a dead letter goes before it is redelivered')) {
        this.disk.letters = this.disk.letters.filter((other) => other !== letter);
      }
    });
  }

  isDiverged(name: string): boolean {
    return this.loop(name).divergedSubscriber || this.loop(name).divergedPublisher;
  }

  /** Whether there is nothing left to do for this subscription, but for what only a person can repair. */
  isQuiet(name: string): boolean {
    const { inFlight, commands, kind } = this.loop(name);
    const { order, position } = this.subscription(name);
    if (inFlight?.kind === 'push' || commands.length > 0 || order || kind === 'unknown') return false;
    return this.isDiverged(name) || position === this.disk.entries.length;
  }

  loop(name: string) {
    return this.loops.get(name) ?? newLoop();
  }

  subscription(name: string) {
    const known = this.disk.subscriptions.get(name);
    if (!known) throw new Error(`no subscription ${name}`);
    return known;
  }
}
