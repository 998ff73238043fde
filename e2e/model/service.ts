import {
  type Answer,
  type Checkpoint,
  type Data,
  type Event,
  NEW,
  type Push,
  positionOf,
  type World,
} from './types.ts';

/** A post or comment of an owner, a verdict, or a row of the read model. */
export type Row = { id: string; postId?: string; status?: string };

/** How many events of the outbox go in one request. */
const RELAYED = 3;

/** One of the four services: its rules, its outbox and relay, and the side of a checkpointed subscriber. */
export class Service {
  disk = this.empty();
  readonly name: string;
  #relay: { exchange: number; rows: number[] } | undefined;
  #oneByOne = 0;
  /** Only with planted bugs: what is done, but not in the transaction that it belongs to. */
  #uncommitted: (() => void)[] = [];
  #world: World;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
  }

  empty() {
    return {
      stand: { checkpoint: NEW, replay: undefined as string | undefined },
      seq: 0,
      /** `refused`: kept for a person to look at, while the rest goes on. */
      outbox: [] as { seq: number; event: Event; refused?: boolean }[],
      published: undefined as Checkpoint | undefined,
      posts: new Map<string, Row>(),
      comments: new Map<string, Row>(),
    };
  }

  /** Another process of this part, on the same database. */
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

  /** A user's request: the change and its event, in one transaction. */
  create(row: Row): void {
    if (row.postId) this.disk.comments.set(row.id, { ...row, status: 'pending' });
    else this.disk.posts.set(row.id, row);
    const tell = () => this.#enqueue(row.postId ? 'CommentCreated' : 'PostCreated', created(row));
    if (this.#world.bugs.has('the outbox row is written after the change')) this.#uncommitted.push(tell);
    else tell();
  }

  #enqueue(type: string, data: Data): void {
    this.disk.seq += 1;
    const event = { id: `${data.id}/${type}`, source: this.name, type, data, time: this.#world.now() };
    this.disk.outbox.push({ seq: this.disk.seq, event });
  }

  #take({ type, data }: Event): void {
    if (this.name === 'query') this.#project(type, data);
    else this.#apply(type, data);
  }

  #apply(type: string, data: Data): void {
    const { posts, comments } = this.disk;
    const { bugs } = this.#world;
    if (type === 'PostCreated' && this.name !== 'moderation' && !posts.has(data.id))
      posts.set(data.id, { id: data.id });
    if (this.name === 'comments' && type === 'CommentCreated' && !comments.has(data.id)) {
      comments.set(data.id, { ...data, status: 'pending' });
    }
    if (this.name === 'comments' && type === 'CommentModerated') {
      const before = comments.get(data.id)?.status ?? 'pending';
      const stands = before === 'pending' || bugs.has('a later verdict replaces the first') ? data.status : before;
      this.#world.assert(before === 'pending' || before === stands, 'the first verdict stands');
      comments.set(data.id, { ...data, status: stands });
      const isNews = before !== stands || !bugs.has('a verdict that is there already is not told again');
      if (isNews) this.#enqueue('CommentUpdated', { ...data, status: stands });
    }
    if (this.name === 'moderation' && type === 'CommentCreated') {
      const stored = bugs.has('a verdict is judged again') ? undefined : comments.get(data.id)?.status;
      const status = stored ?? this.#world.verdict(data.id);
      this.#world.assert((comments.get(data.id)?.status ?? status) === status, 'a verdict is made once');
      comments.set(data.id, { ...data, status });
      this.#enqueue('CommentModerated', { ...data, status });
    }
    if (this.name === 'moderation' && type === 'CommentModerated' && !comments.has(data.id))
      comments.set(data.id, data);
  }

  /** query's read model. A comment may come before its post. */
  #project(type: string, data: Data): void {
    const { posts, comments } = this.disk;
    const { bugs, assert } = this.#world;
    if (type === 'PostCreated' && !posts.has(data.id)) posts.set(data.id, { id: data.id });
    if (type !== 'CommentCreated' && type !== 'CommentUpdated') return;
    if (bugs.has('a comment before its post is dropped') && !posts.has(data.postId ?? '')) return;
    const before = comments.get(data.id)?.status ?? 'pending';
    const goesBack = type === 'CommentCreated' && bugs.has('a status goes back');
    const status = before === 'pending' || goesBack ? data.status : before;
    assert(before === 'pending' || status === before, 'a status never goes back');
    comments.set(data.id, { ...data, status });
  }

  /** The event of each own row again. Moderation's come with the comments that are seen again. */
  #tellAgain(): void {
    if (this.name === 'posts') for (const row of this.disk.posts.values()) this.#enqueue('PostCreated', created(row));
    if (this.name !== 'comments') return;
    for (const row of this.disk.comments.values()) this.#enqueue('CommentCreated', created(row));
  }

  // ---- Publishing

  relay(): string | undefined {
    if (this.#uncommitted.length > 0) {
      for (const write of this.#uncommitted.splice(0)) write();
      return 'commits what it had left';
    }
    if (this.#relay) return;
    const { bugs } = this.#world;
    const waiting = this.disk.outbox.filter(({ refused }) => !refused);
    const [first] = waiting;
    if (!first) return;
    const rows = waiting.slice(0, first.seq <= this.#oneByOne ? 1 : RELAYED);
    const published = bugs.has('the relay does not say what it was told') ? undefined : this.disk.published;
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
    const isWhole = rows.length > 1 && !bugs.has('a batch that is refused is kept back whole');
    if ((status === 409 || status === 422) && isWhole) this.#oneByOne = rows.at(-1) ?? 0;
    // 201: it is on disk. 409: the log has it with other content, which stands. 422: kept. Anything else: again.
    else if (status === 201 || status === 409) this.#forget(rows);
    else if (status === 422 && bugs.has('an event that is refused is dropped')) this.#forget(rows);
    else if (status === 422 && !bugs.has('an event that is refused stops the outbox')) this.#keep(rows);
    if (status !== 201) return;
    // What the log had before is answered with its old place; that takes back nothing.
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
    // query has no relay to do it: without this the planted bug would be found by what hangs, not by what is lost.
    for (const write of this.#uncommitted.splice(0)) write();
    return { status: 200, ...this.disk.stand };
  }

  /** One transaction: the order, the effects, the outbox rows and the checkpoint. */
  push({ events, after, upto, replay }: Push): Answer {
    const { bugs, isPoison, assert } = this.#world;
    // A handler that throws undoes everything, the order too.
    const isRefused = events.some((event) => isPoison(this.name, event));
    if (after === undefined || upto === undefined) {
      if (isRefused) return { status: 422 };
      for (const event of events) this.#take(event);
      return { status: 200 };
    }
    const { stand } = this.disk;
    const isNew = replay !== undefined && (replay !== stand.replay || bugs.has('a replay order is taken twice'));
    const takes = isNew && positionOf(after) <= positionOf(stand.checkpoint);
    const begins = takes ? after : stand.checkpoint;
    const joins = begins === after || (begins === NEW && positionOf(after) === 0);
    if (!joins && !bugs.has('a batch is applied wherever it begins')) return { status: 409, ...stand };
    if (isRefused) return { status: 422 };
    if (takes) {
      assert(replay !== stand.replay, 'a replay order is taken once');
      // A diverged owner's order is always from 1. A later one tells only some of what was published again.
      const isAll = positionOf(after) === 0 || bugs.has('an order from anywhere takes back what the relay was told');
      if (isAll) this.disk.published = after;
      if (!bugs.has('an order does not publish own rows again')) this.#tellAgain();
    }
    this.disk.stand = { checkpoint: upto, replay: takes ? replay : stand.replay };
    const apply = () => {
      for (const event of events) this.#take(event);
    };
    if (bugs.has('a checkpoint moves before the effects')) this.#uncommitted.push(apply);
    else apply();
    return { status: 200, ...this.disk.stand };
  }
}

const created = ({ id, postId }: Row): Data => (postId ? { id, postId, status: 'pending' } : { id });
