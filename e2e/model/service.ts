// The four services: their rules, outbox and relay, and checkpoint.

import assert from 'node:assert/strict';
import type { World } from './system.ts';
import type { Answer, Bug, Checkpoint, Event, Push, Row } from './types.ts';
import { NEW, positionOf, tableOf } from './types.ts';

/** The number of outbox events in one request. */
const RELAYED = 3;

/** One of the four services: its rules, its outbox and relay, and the subscriber's side of the protocol. */
export class Service {
  disk = this.empty();
  readonly name: string;
  #relay: { exchange: number; rows: number[] } | undefined;
  #oneByOne = 0;
  /** Only with planted bugs: writes that are not in the transaction they belong to. */
  #uncommitted: (() => void)[] = [];
  #world: World;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
  }

  empty() {
    return {
      progress: { checkpoint: NEW, replay: undefined as string | undefined },
      seq: 0,
      /** `refused`: kept for a person to look at, while the others are sent. */
      outbox: [] as { seq: number; event: Event; refused?: boolean }[],
      published: undefined as Checkpoint | undefined,
      posts: new Map<string, Row>(),
      comments: new Map<string, Row>(),
    };
  }

  /** A second process of this part, on the same database. */
  twin(): Service {
    const twin = new Service(this.#world, this.name);
    twin.disk = this.disk;
    return twin;
  }

  crash(): void {
    this.#relay = undefined;
    this.#oneByOne = 0;
    this.#uncommitted = [];
  }

  get isQuiet(): boolean {
    return this.disk.outbox.every(({ refused }) => refused) && !this.#relay && this.#uncommitted.length === 0;
  }

  // ---- Rules

  /** Handles a user's request: writes the change and its event in one transaction. */
  create(row: Row): void {
    this.disk[tableOf(row)].set(row.id, created(row));
    this.#commit(() => this.#tell(row), 'the outbox row is written after the change');
  }

  /** Writes in the same transaction; with this bug planted later, or never if the service dies before. */
  #commit(write: () => void, bug: Bug): void {
    if (this.#world.bugs.has(bug)) this.#uncommitted.push(write);
    else write();
  }

  #commitLate(): boolean {
    for (const write of this.#uncommitted) write();
    return this.#uncommitted.splice(0).length > 0;
  }

  #tell(row: Row): void {
    this.#enqueue(row.postId ? 'CommentCreated' : 'PostCreated', created(row));
  }

  #enqueue(type: string, data: Row): void {
    this.disk.seq += 1;
    const event = { id: `${data.id}/${type}`, source: this.name, type, data, time: this.#world.now() };
    this.disk.outbox.push({ seq: this.disk.seq, event });
  }

  /** The event handlers of all services. A comment may come before its post. */
  #take({ type, data }: Event): void {
    const { posts, comments } = this.disk;
    const { bugs } = this.#world;
    const stored = comments.get(data.id)?.status;
    const before = stored ?? 'pending';
    switch (`${this.name}: ${type}`) {
      case 'posts: PostCreated':
      case 'comments: PostCreated':
      case 'query: PostCreated':
        if (!posts.has(data.id)) posts.set(data.id, { id: data.id });
        return;
      case 'comments: CommentCreated':
      case 'moderation: CommentModerated':
        if (!stored) comments.set(data.id, data);
        return;
      case 'comments: CommentModerated': {
        const status = before === 'pending' || bugs.has('a later verdict replaces the first') ? data.status : before;
        assert(before === 'pending' || before === status, 'the first verdict stands');
        comments.set(data.id, { ...data, status });
        const isNews = before !== status || !bugs.has('a known verdict is not published again');
        if (isNews) this.#enqueue('CommentUpdated', { ...data, status });
        return;
      }
      case 'moderation: CommentCreated': {
        const known = bugs.has('a verdict is judged again') ? undefined : stored;
        const status = known ?? this.#world.verdict(data.id);
        assert((stored ?? status) === status, 'a verdict is made once');
        comments.set(data.id, { ...data, status });
        this.#enqueue('CommentModerated', { ...data, status });
        return;
      }
      case 'query: CommentCreated':
      case 'query: CommentUpdated': {
        if (bugs.has('a comment before its post is dropped') && !posts.has(data.postId ?? '')) return;
        const goesBack = type === 'CommentCreated' && bugs.has('a status goes back');
        const status = before === 'pending' || goesBack ? data.status : before;
        assert(before === 'pending' || status === before, 'a status never goes back');
        comments.set(data.id, { ...data, status });
      }
    }
  }

  /** Publishes the event of each own row again. Moderation's events come from the comments that are replayed. */
  #tellAgain(): void {
    if (this.name !== 'posts' && this.name !== 'comments') return;
    for (const row of this.disk[this.name].values()) this.#tell(row);
  }

  // ---- Publishing

  relay(): string | undefined {
    if (this.#commitLate()) return 'commits what it had left';
    if (this.#relay) return;
    const { bugs } = this.#world;
    const waiting = this.disk.outbox.filter(({ refused }) => !refused);
    const [first] = waiting;
    if (!first) return;
    const rows = waiting.slice(0, first.seq <= this.#oneByOne ? 1 : RELAYED);
    const published = bugs.has('the relay does not send its last checkpoint') ? undefined : this.disk.published;
    const events = rows.map(({ event }) => event);
    const exchange = this.#world.send(this.name, 'bus', { kind: 'publish', source: this.name, events, published });
    this.#relay = { exchange, rows: rows.map(({ seq }) => seq) };
    if (bugs.has('the relay forgets rows before the answer')) this.#forget(this.#relay.rows);
    return `publishes ${events.map(({ id }) => id).join(' ')}`;
  }

  relayed(exchange: number, { status, checkpoint = NEW }: Answer): void {
    if (this.#relay?.exchange !== exchange) return;
    const { rows } = this.#relay;
    this.#relay = undefined;
    const { bugs } = this.#world;
    const isWhole = rows.length > 1 && !bugs.has('a refused batch is kept as a whole');
    if ((status === 409 || status === 422) && isWhole) this.#oneByOne = rows.at(-1) ?? 0;
    // 201: on disk. 409: the log has other content, which checkpoints. 422: kept in the outbox. Anything else: retried.
    else if (status === 201 || status === 409) this.#forget(rows);
    else if (status === 422 && bugs.has('an event that is refused is dropped')) this.#forget(rows);
    else if (status === 422 && !bugs.has('an event that is refused stops the outbox')) this.#keep(rows);
    if (status !== 201) return;
    // An event that the log already had is answered with its old position, which moves no checkpoint back.
    const isNewer = positionOf(checkpoint) > positionOf(this.disk.published ?? NEW);
    if (isNewer) this.disk.published = checkpoint;
  }

  timeout(): string | undefined {
    if (!this.#relay) return;
    this.#relay = undefined;
    return 'waits no longer';
  }

  #forget(rows: number[]): void {
    this.disk.outbox = this.disk.outbox.filter(({ seq }) => !rows.includes(seq));
  }

  #keep(rows: number[]): void {
    for (const row of this.disk.outbox) if (rows.includes(row.seq)) row.refused = true;
  }

  // ---- Taking events

  ask(): Answer {
    // Query has no relay to do this: otherwise the planted bug would show as a hang, not as a loss.
    this.#commitLate();
    return { status: 200, ...this.disk.progress };
  }

  /** Processes a push in one transaction: the order, the effects, the outbox rows and the checkpoint. */
  push({ events, after, upto, replay }: Push): Answer {
    const { bugs, isPoison } = this.#world;
    const apply = () => {
      for (const event of events) this.#take(event);
    };
    // A handler that throws rolls everything back, including the order.
    const isRefused = events.some((event) => isPoison(this.name, event));
    if (after === undefined || upto === undefined) {
      if (isRefused) return { status: 422 };
      apply();
      return { status: 200 };
    }
    const { progress } = this.disk;
    const isNew = replay !== undefined && (replay !== progress.replay || bugs.has('a replay order is taken twice'));
    const takes = isNew && positionOf(after) <= positionOf(progress.checkpoint);
    const begins = takes ? after : progress.checkpoint;
    const joins = begins === after || (begins === NEW && positionOf(after) === 0);
    if (!joins && !bugs.has('a batch is applied wherever it begins')) return { status: 409, ...progress };
    if (isRefused) return { status: 422 };
    if (takes) {
      assert(replay !== progress.replay, 'a replay order is taken once');
      // A diverged owner's order always starts at 1. A later start republishes only part of the events.
      const isAll = positionOf(after) === 0 || bugs.has('an order from anywhere resets the checkpoint of the relay');
      if (isAll) this.disk.published = after;
      if (!bugs.has('an order does not publish own rows again')) this.#tellAgain();
    }
    this.disk.progress = { checkpoint: upto, replay: takes ? replay : progress.replay };
    this.#commit(apply, 'a checkpoint moves before the effects');
    return { status: 200, ...this.disk.progress };
  }
}

const created = ({ id, postId }: Row): Row => (postId ? { id, postId, status: 'pending' } : { id });
