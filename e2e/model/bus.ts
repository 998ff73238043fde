import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { type Letter, Loop, type Subscription } from './loop.ts';
import type { World } from './system.ts';
import { type Answer, type Checkpoint, type Entry, NEW, type Publish, positionOf } from './types.ts';

const chain = (before: string, text: string) => hash('sha1', before + text, 'hex').slice(0, 12);

/** The log, and the bus's state of each subscription; their loops are in `loop.ts`. */
export class Bus {
  readonly world: World;
  disk;
  #names: readonly string[];
  #loops = new Map<string, Loop>();
  /** Only with planted bugs: acknowledged or passed, but not on disk yet. */
  #uncommitted: { turns: number; write: () => void }[] = [];

  constructor(world: World, names: readonly string[]) {
    this.world = world;
    this.#names = names;
    this.disk = this.empty();
    this.crash();
  }

  empty() {
    const subscriptions = this.#names.map((name): [string, Subscription] => [name, { position: 0, paused: false }]);
    return {
      origin: this.world.uuid(),
      entries: [] as Entry[],
      subscriptions: new Map(subscriptions),
      letters: [] as Letter[],
    };
  }

  crash(): void {
    this.#loops = new Map(this.#names.map((name) => [name, new Loop(this, name)]));
    this.#uncommitted = [];
  }

  loop(name: string): Loop {
    const loop = this.#loops.get(name);
    assert(loop, `no subscription ${name}`);
    return loop;
  }

  /** The checkpoint of a position, by default the newest. */
  at(position = this.disk.entries.length): Checkpoint {
    return `${position}-${this.disk.entries[position - 1]?.checksum ?? this.disk.origin}`;
  }

  /** True if the checkpoint belongs to this log, not to another history of it. */
  knows(checkpoint: Checkpoint): boolean {
    const position = positionOf(checkpoint);
    if (checkpoint === NEW) return true;
    if (position > this.disk.entries.length) return false;
    return this.world.bugs.has('a restored log is recognised by positions alone') || this.at(position) === checkpoint;
  }

  publish({ source, events, published }: Publish): Answer {
    const { bugs, uuid, isRefused } = this.world;
    if (events.some(isRefused)) return { status: 422 };
    const isDiverged = published !== undefined && !this.knows(published);
    const loop = this.#loops.get(source);
    if (loop) loop.divergedPublisher = isDiverged;
    if (isDiverged) return { status: 412 };
    const entries = [...this.disk.entries];
    let last = 0;
    for (const event of events) {
      const there = entries.find((entry) => entry.source === source && entry.id === event.id);
      if (there && !bugs.has('the bus does not recognise what it has')) {
        // The compared content is the type and the data, not the time.
        if (JSON.stringify(there.data) !== JSON.stringify(event.data)) return { status: 409 };
        last = Math.max(last, there.position);
        continue;
      }
      last = entries.length + 1;
      const checksum = chain(entries.at(-1)?.checksum ?? this.disk.origin, JSON.stringify(event));
      entries.push({ ...event, id: event.id ?? uuid(), position: last, checksum });
    }
    const commit = () => {
      assert(entries.length >= this.disk.entries.length, 'nothing in the log changes');
      this.disk.entries = entries;
    };
    if (bugs.has('the bus answers before it has committed')) this.commitLater(1, commit);
    else commit();
    return { status: 201, checkpoint: `${last}-${entries[last - 1]?.checksum}` };
  }

  commitLater(turns: number, write: () => void): void {
    this.#uncommitted.push({ turns, write });
  }

  commitLate(): void {
    for (const late of this.#uncommitted) {
      late.turns -= 1;
      if (late.turns === 0) late.write();
    }
    this.#uncommitted = this.#uncommitted.filter(({ turns }) => turns > 0);
  }
}
