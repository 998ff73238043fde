import { createRandom } from '../random.ts';
import { Bus } from './bus.ts';
import { type Row, Service } from './service.ts';
import { type Answer, type Bug, type Event, type Message, NEW, type Request, type World } from './types.ts';

const OWNERS = ['posts', 'comments', 'moderation'] as const;
const NAMES = [...OWNERS, 'query'] as const;
type Name = (typeof NAMES)[number];

const CHAOS_STEPS = 400;
const QUIET_STEPS = 6_000;
const REPAIRS = 12;
const POSTS = 5;
const COMMENTS = 8;

export class Violation extends Error {}

/** All parts, the network between them, the users, and the person who runs them: one step at a time. */
export class Schedule {
  readonly trace: string[] = [];
  #random: () => number;
  #count = 0;
  #net: Message[] = [];
  #bus: Bus;
  #services: Record<Name, Service>;
  #world: World;
  #classicModeration = false;
  #banned = false;
  #poison = new Set<string>();
  #refused = new Set<string>();
  /** Second processes of a part. */
  #twins = new Map<Name, Service>();
  #backups: { part: Name | 'bus'; disk: unknown }[] = [];
  /** The bus's disk as it was before the last publication. */
  #before: Bus['disk'] | undefined;
  /**
   * Half of the schedules have no dead letters and a person who is not told that something was put back: every loss of
   * the log must then be noticed. In the others the person ends with the replay that the design asks for.
   */
  #isTold: boolean;
  /** One in five has only two kinds of faults, so that a log that has lost a little is hidden by nothing else. */
  #isBare: boolean;
  #toReplay = new Set<Name | 'bus'>();
  #mayPark = false;
  #lost = new Set<Name | 'bus'>();
  /** What users were told is there, in order; what a wipe or an old backup may lose goes again. */
  #acknowledged: Row[] = [];
  #verdicts = new Map<string, string>();
  /** Every stand that a subscriber ever committed, every order with its `from`, the orders that were taken. */
  #stands = new Set<string>();
  #orders = new Map<string, number>();
  #taken = new Set<string>();

  constructor(seed: number, bugs: ReadonlySet<Bug>) {
    this.#random = createRandom(seed);
    this.#isBare = this.#chance(0.2);
    this.#isTold = !this.#isBare && this.#chance(0.5);
    this.#world = {
      bugs,
      now: () => this.#count,
      uuid: () => `u${this.#next()}`,
      send: (from, to, request) => this.#send(from, to, request),
      isPoison: (part, event) => this.#poison.has(`${part} ${event.id}`),
      isRefused: ({ id = '' }) => this.#refused.has(id),
      verdict: (comment) => this.#judge(comment),
      assert: (holds, rule) => this.#assert(holds, rule),
    };
    this.#bus = new Bus(this.#world, [...NAMES]);
    const service = (name: Name) => new Service(this.#world, name);
    this.#services = {
      posts: service('posts'),
      comments: service('comments'),
      moderation: service('moderation'),
      query: service('query'),
    };
  }

  /** @throws Violation naming the rule that was broken */
  run(): void {
    const faults = this.#isBare
      ? [() => this.#loseNewest(), () => this.#replay()].map((run) => ({ run, weight: 0.4 }))
      : this.#faults().map((run) => ({ run, weight: this.#pick([0, 0, 0.1, 0.5]) ?? 0 }));
    const work = [
      { run: () => this.#work(), weight: 16 },
      { run: () => this.#post(), weight: 0.5 },
      { run: () => this.#comment(), weight: 1 },
      { run: () => this.#timeout(), weight: 0.5 },
    ];
    const actions = [...work, ...faults];
    const total = actions.reduce((sum, { weight }) => sum + weight, 0);
    for (let step = 0; step < CHAOS_STEPS; step += 1) {
      let left = this.#random() * total;
      const action = actions.find(({ weight }) => {
        left -= weight;
        return left < 0;
      });
      this.#say(action?.run());
    }
    this.#recover();
    this.#check();
  }

  // ---- What happens anyway

  #work(): string | undefined {
    if (this.#net.length > 0 && this.#chance(0.6)) return this.#deliver(this.#take());
    if (this.#chance(0.35)) {
      const name = this.#any(OWNERS);
      const isClassic = name === 'moderation' && this.#classicModeration;
      const twin = this.#chance(0.5) ? this.#twins.get(name) : undefined;
      return isClassic ? undefined : prefix(name, (twin ?? this.#services[name]).relay());
    }
    const name = this.#any(NAMES);
    return prefix(
      `bus > ${name}`,
      this.#watch(name, () => this.#bus.turn(name)),
    );
  }

  #send(from: string, to: string, request: Request): number {
    const exchange = this.#next();
    this.#net.push({ from, to, exchange, request });
    return exchange;
  }

  #deliver(message: Message): string {
    const { from, to, exchange } = message;
    if ('answer' in message) {
      if (to === 'bus' && isName(from)) {
        this.#watch(from, () => this.#bus.answered(from, exchange, message.answer), message.answer);
      }
      if (isName(to))
        for (const service of [this.#services[to], this.#twins.get(to)]) service?.relayed(exchange, message.answer);
      return `${from} > ${to}: answer ${JSON.stringify(message.answer)}`;
    }
    const answer = this.#handle(to, message.request);
    this.#net.push({ from: to, to: from, exchange, answer });
    return `${from} > ${to}: ${summary(message.request)}: ${JSON.stringify(answer)}`;
  }

  #handle(to: string, request: Request): Answer {
    if (request.kind === 'publish') {
      const { disk } = this.#bus;
      this.#before = { ...disk, subscriptions: structuredClone(disk.subscriptions), letters: [...disk.letters] };
      return this.#bus.publish(request);
    }
    if (to === 'moderation' && this.#classicModeration) return this.#classic(request);
    if (!isName(to)) throw new Error(`there is no ${to}`);
    if (request.kind === 'ask') return this.#services[to].ask();
    const before = this.#services[to].disk.stand.replay;
    const answer = this.#services[to].push(request);
    if (answer.checkpoint) this.#stands.add(`${to} ${answer.checkpoint}`);
    if (request.replay && answer.replay === request.replay && answer.replay !== before) {
      this.#taken.add(request.replay);
      const from = this.#orders.get(request.replay);
      this.#assert(request.after?.startsWith(`${(from ?? 1) - 1}-`) ?? false, 'a replay begins where a person said');
    }
    return answer;
  }

  /** What the bus keeps of a checkpointed subscriber never says more than the subscriber did. */
  #watch<T>(name: Name, step: () => T, answer?: Answer): T {
    const subscription = this.#bus.subscription(name);
    const { position, order } = subscription;
    const result = step();
    const isPlain = this.#bus.loop(name).kind === 'plain';
    const isSaid = this.#stands.has(`${name} ${this.#bus.at(subscription.position)}`);
    this.#assert(isPlain || subscription.position <= position || isSaid, 'no position passes what was not applied');
    if (subscription.order) this.#orders.set(subscription.order.id, subscription.order.from);
    const isOver = !order || subscription.order || this.#taken.has(order.id) || isPlain || answer?.status === 409;
    this.#assert(Boolean(isOver), 'an order stays until it is taken or refused');
    return result;
  }

  /** The classic moderation: keeps nothing, judges each time, does not understand a batch, but answers 200. */
  #classic(request: Request): Answer {
    if (request.kind !== 'push') return { status: 404 };
    for (const { type, data } of request.form === 'plain' ? request.events : []) {
      if (type !== 'CommentCreated') continue;
      const event = { source: 'classic', type: 'CommentModerated', data: { ...data, status: this.#judge(data.id) } };
      // Whose verdict is the first in the log is open from now on.
      this.#verdicts.set(data.id, 'any');
      this.#send('classic', 'bus', { kind: 'publish', source: 'classic', events: [{ ...event, time: this.#count }] });
    }
    return { status: 200 };
  }

  #judge(comment: string): string {
    const status = this.#banned ? 'rejected' : 'approved';
    if (!this.#verdicts.has(comment)) this.#verdicts.set(comment, status);
    return status;
  }

  #post(more = false): string | undefined {
    if (!more && this.#acknowledged.filter(({ postId }) => !postId).length >= POSTS) return;
    return this.#create('posts', { id: `p${this.#next()}` });
  }

  #comment(more = false): string | undefined {
    if (!more && this.#acknowledged.filter(({ postId }) => postId).length >= COMMENTS) return;
    const post = this.#pick([...this.#services.comments.disk.posts.keys()]);
    return post && this.#create('comments', { id: `c${this.#next()}`, postId: post });
  }

  #create(name: 'posts' | 'comments', row: Row): string {
    this.#services[name].create(row);
    this.#acknowledged.push(row);
    return `${name}: acknowledges ${row.id}`;
  }

  #timeout(): string | undefined {
    const name = this.#any(NAMES);
    if (this.#chance(0.5)) return prefix(`bus > ${name}`, this.#bus.timeout(name));
    return prefix(name, (this.#twins.get(name) ?? this.#services[name]).timeout());
  }

  // ---- What goes wrong, and what a person does meanwhile

  #faults(): (() => string | undefined)[] {
    return [
      () => this.#crash(this.#anyPart()),
      () => this.#crash('bus'),
      () => (this.#net.length > 0 ? `lost: ${describe(this.#take())}` : undefined),
      () => this.#repeat(),
      () => this.#garble(),
      () => this.#fail(),
      () => this.#backUp(),
      () => this.#backUp(),
      () => this.#restore(),
      () => this.#restore('bus'),
      () => this.#loseNewest(),
      () => this.#refuse(),
      () => this.#double(),
      () => this.#wipe(this.#anyPart()),
      () => this.#setPoison(),
      () => this.#setPoison(),
      () => this.#redeliver(),
      () => this.#skip(),
      () => this.#replay(),
      () => this.#pause(),
      () => {
        this.#banned = !this.#banned;
        return `the word is ${this.#banned ? 'banned' : 'allowed'}`;
      },
      () => this.#swap(!this.#classicModeration),
    ];
  }

  #crash(part: Name | 'bus'): string {
    if (part === 'bus') this.#bus.crash();
    else {
      this.#services[part].crash();
      this.#twins.delete(part);
    }
    return `${part}: crashes`;
  }

  /** A message that arrives twice: a push or a publication; answers that come late are those of exchanges given up. */
  #repeat(): string | undefined {
    const message = this.#pick(this.#net.filter((message) => 'request' in message));
    if (!message) return;
    this.#net.push(message);
    return `twice: ${describe(message)}`;
  }

  /** Something between spoils the answer. A refusal never becomes a bare 2xx: to a plain delivery that one counts. */
  #garble(): string | undefined {
    const message = this.#pick(this.#net.filter(({ to }) => to === 'bus').filter((message) => 'answer' in message));
    if (!message) return;
    message.answer = { status: message.answer.checkpoint ? (this.#pick([200, 500]) ?? 500) : 500 };
    return `garbled: ${describe(message)}`;
  }

  /** The subscriber answers without having done anything. */
  #fail(): string | undefined {
    const message = this.#pick(this.#net.filter(({ from, to }) => from === 'bus' && to !== 'bus'));
    if (!message || !('request' in message) || message.request.kind !== 'push') return;
    // A plain subscriber's 2xx counts, so only a batch may get one here.
    const status = message.request.form === 'batch' ? (this.#pick([200, 503]) ?? 503) : 503;
    this.#net.splice(this.#net.indexOf(message), 1);
    this.#net.push({ from: message.to, to: 'bus', exchange: message.exchange, answer: { status } });
    return `not handled, ${status}: ${describe(message)}`;
  }

  #backUp(): string {
    const part = this.#anyPart();
    const disk = part === 'bus' ? this.#bus.disk : this.#services[part].disk;
    this.#backups.push({ part, disk: structuredClone(disk) });
    return `${part}: backed up`;
  }

  #restore(which = this.#anyPart()): string | undefined {
    const same = this.#backups.filter(({ part }) => part === which);
    const backup = this.#chance(0.5) ? same.at(-1) : this.#pick(same);
    return backup && this.#replaceDisk(which, structuredClone(backup.disk), 'put back');
  }

  /** The disk had not kept what came last: hardly anybody has passed that place. */
  #loseNewest(): string | undefined {
    return this.#before && this.#replaceDisk('bus', structuredClone(this.#before), 'loses what came last');
  }

  #wipe(part: Name | 'bus'): string {
    return this.#replaceDisk(part, part === 'bus' ? this.#bus.empty() : this.#services[part].empty(), 'wiped');
  }

  #replaceDisk(part: Name | 'bus', disk: unknown, how: string): string {
    if (part === 'bus') this.#bus.disk = disk as Bus['disk'];
    else this.#services[part].disk = disk as Service['disk'];
    this.#crash(part);
    this.#lost.add(part);
    if (this.#isTold) this.#toReplay.add(part);
    this.#forgive();
    return `${part}: ${how}`;
  }

  /** What is neither in the log nor in its owner's database any more is lost, as the design says. */
  #forgive(): void {
    const { posts, comments, moderation } = this.#services;
    const { entries } = this.#bus.disk;
    const inLog = new Set(entries.filter(({ type }) => type.endsWith('Created')).map(({ data }) => data.id));
    const isThere = ({ id, postId }: Row) =>
      inLog.has(id) || (postId ? comments : posts).disk[postId ? 'comments' : 'posts'].has(id);
    this.#acknowledged = this.#acknowledged.filter(isThere);
    const inLogFirst = new Map<string, string | undefined>();
    for (const { type, data } of entries) {
      if (type === 'CommentModerated' && !inLogFirst.has(data.id)) inLogFirst.set(data.id, data.status);
    }
    for (const [id, status] of this.#verdicts) {
      const published = inLogFirst.get(id) ?? moderation.disk.comments.get(id)?.status;
      if (published !== status && comments.disk.comments.get(id)?.status !== status) this.#verdicts.set(id, 'any');
    }
  }

  #setPoison(): string | undefined {
    const entry = this.#pick(this.#bus.disk.entries.slice(-2));
    if (!this.#isTold || !entry) return;
    const poison = `${this.#any(NAMES)} ${entry.id}`;
    this.#mayPark = true;
    this.#poison.add(poison);
    return `poison: ${poison}`;
  }

  /** The bus refuses a post or comment of an owner for good. */
  #refuse(): string | undefined {
    const owner = this.#pick([this.#services.posts, this.#services.comments]);
    const { event } = this.#pick(owner?.disk.outbox ?? []) ?? {};
    const isInLog = this.#bus.disk.entries.some(({ id }) => id === event?.id);
    if (!event?.id?.endsWith('Created') || isInLog) return;
    this.#refused.add(event.id);
    return `the bus refuses ${event.id}`;
  }

  /** Two processes of one part for a moment, as while one replaces the other. */
  #double(): string {
    const name = this.#any(OWNERS);
    this.#twins.set(name, this.#services[name].twin());
    return `${name}: runs twice`;
  }

  #skip(): string | undefined {
    if (!this.#isTold) return;
    const name = this.#any(NAMES);
    this.#mayPark = true;
    this.#bus.skip(name);
    return `person: skips at ${name}`;
  }

  #redeliver(): string | undefined {
    const letter = this.#pick(this.#bus.disk.letters);
    if (!letter) return;
    this.#bus.redeliver(letter);
    return `person: redelivers ${letter.entry.id} to ${letter.subscription}`;
  }

  #replay(): string {
    const name = this.#any(this.#isTold ? NAMES : OWNERS);
    const last = this.#bus.disk.entries.length + 1;
    const from = this.#chance(0.5) ? last : 1 + Math.floor(this.#random() * last);
    this.#bus.replay(name, from);
    return `person: replays ${name} from ${from}`;
  }

  #pause(): string {
    const name = this.#any(NAMES);
    const subscription = this.#bus.subscription(name);
    subscription.paused = !subscription.paused;
    return `person: ${subscription.paused ? 'pauses' : 'resumes'} ${name}`;
  }

  #swap(isClassic: boolean): string {
    this.#classicModeration = isClassic;
    this.#services.moderation.crash();
    return `moderation: now ${isClassic ? 'the classic one' : 'ours'}`;
  }

  // ---- The faults stop; the person repairs

  #recover(): void {
    this.#say('the faults stop');
    this.#swap(false);
    this.#poison.clear();
    this.#twins.clear();
    for (const name of NAMES) this.#bus.subscription(name).paused = false;
    for (let repairs = 0; repairs < REPAIRS; repairs += 1) {
      // A loss of the log is noticed by who publishes next.
      this.#say(this.#post(true));
      this.#settle();
      this.#say(this.#comment(true));
      this.#settle();
      if (!this.#repair()) return;
      this.#settle();
    }
    this.#assert(false, 'a person can repair it');
  }

  /** What the design has a person do; false if there is nothing to do. */
  #repair(): boolean {
    const { letters } = this.#bus.disk;
    if (NAMES.some((name) => this.#bus.isDiverged(name)) || this.#toReplay.delete('bus')) {
      for (const name of OWNERS) this.#bus.replay(name);
      this.#say(this.#wipe('query'));
      this.#say('person: replays the owners, deletes the database of query');
    } else if (this.#toReplay.size > 0) {
      for (const name of NAMES) if (this.#toReplay.has(name)) this.#bus.replay(name);
      this.#say(`person: replays ${[...this.#toReplay].join(', ')}`);
      this.#toReplay.clear();
    } else if (letters.length > 0) {
      for (const letter of letters) this.#bus.redeliver(letter);
      this.#say('person: redelivers all dead letters');
    } else {
      return false;
    }
    return true;
  }

  #settle(): void {
    for (let step = 0; step < QUIET_STEPS; step += 1) {
      if (this.#isQuiet()) return;
      this.#say(this.#net.length === 0 || this.#chance(0.02) ? (this.#timeout() ?? this.#work()) : this.#work());
    }
    this.#assert(false, 'when the faults stop, lag returns to 0');
  }

  #isQuiet(): boolean {
    if (this.#net.some((message) => 'request' in message && message.request.kind !== 'ask')) return false;
    return NAMES.every((name) => {
      const service = this.#services[name];
      if (!this.#bus.isQuiet(name)) return false;
      const { checkpoint } = service.disk.stand;
      const isAtHead = checkpoint === this.#bus.head || (checkpoint === NEW && this.#bus.disk.entries.length === 0);
      return this.#bus.isDiverged(name) || (service.isQuiet && isAtHead);
    });
  }

  // ---- What must hold then

  #check(): void {
    const { entries } = this.#bus.disk;
    const ids = entries.map(({ source, id }) => `${source} ${id}`);
    this.#assert(new Set(ids).size === ids.length, 'one log entry per source and id');
    const { posts, comments, moderation, query } = this.#services;

    const rebuilt = new Service({ ...this.#world, bugs: new Set() }, 'query');
    rebuilt.push({ kind: 'push', form: 'plain', events: entries });
    const rows = ({ disk }: Service) => {
      const all = [...disk.posts.values(), ...disk.comments.values()].map(({ id, postId, status }) => [
        id,
        postId,
        status,
      ]);
      // Redelivered events come after those that followed them.
      return this.#mayPark ? all.sort() : all;
    };
    this.#assert(isSame(rows(query), rows(rebuilt)), 'the read model is as one rebuilt from the log');

    this.#checkRefused();
    for (const { id, postId } of this.#acknowledged) {
      const [table, owner] = postId ? (['comments', comments] as const) : (['posts', posts] as const);
      this.#assert(query.disk[table].has(id), `acknowledged ${id} is in the read model`);
      this.#assert(owner.disk[table].has(id), `acknowledged ${id} is at its owner`);
    }
    for (const { id, postId } of this.#acknowledged) {
      if (!postId) continue;
      const status = query.disk.comments.get(id)?.status;
      const first = this.#verdicts.get(id);
      this.#assert(status === 'approved' || status === 'rejected', `${id} has a verdict`);
      this.#assert(first === 'any' || status === first, `${id} ends with its first verdict`);
      this.#assert(moderation.disk.comments.has(id), `moderation has a verdict on ${id}`);
    }
    this.#checkOrder(entries);
  }

  /** What the bus refused is nowhere but at its owner, and still in its outbox, unless that database was lost. */
  #checkRefused(): void {
    const isRefused = ({ id, postId }: Row) => this.#refused.has(`${id}/${postId ? 'Comment' : 'Post'}Created`);
    for (const { id, postId } of this.#acknowledged.filter(isRefused)) {
      const name = postId ? 'comments' : 'posts';
      const isKept = this.#services[name].disk.outbox.some(({ event, refused }) => refused && event.data.id === id);
      this.#assert(isKept || this.#lost.has(name), 'what the bus refused is kept');
    }
    this.#acknowledged = this.#acknowledged.filter((row) => !isRefused(row));
  }

  /** A log that lost events has no order to keep, nor has what was published before a database was put back. */
  #checkOrder(entries: Event[]): void {
    for (const [owner, type] of [
      ['posts', 'PostCreated'],
      ['comments', 'CommentCreated'],
    ] as const) {
      if (this.#lost.has('bus') || this.#lost.has(owner)) continue;
      const told = this.#acknowledged.filter(({ postId }) => Boolean(postId) === (owner === 'comments'));
      const inLog = entries.filter((event) => event.type === type).map(({ data }) => data.id);
      const inOrder = isSame(
        told.map(({ id }) => id),
        inLog,
      );
      this.#assert(inOrder, `the order of ${owner} is kept in the log`);
    }
  }

  // ---- Chance

  #next(): number {
    this.#count += 1;
    return this.#count;
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#random() * items.length)];
  }

  #any<T>(items: readonly [T, ...T[]]): T {
    return this.#pick(items) ?? items[0];
  }

  #anyPart(): Name | 'bus' {
    return this.#any(['bus', ...NAMES]);
  }

  /** Messages overtake each other. */
  #take(): Message {
    const [message] = this.#net.splice(Math.floor(this.#random() * this.#net.length), 1);
    if (!message) throw new Error('the network is empty');
    return message;
  }

  #say(line: string | undefined): void {
    if (line) this.trace.push(line);
  }

  #assert(holds: boolean, rule: string): void {
    if (!holds) throw new Violation(rule);
  }
}

/** As text: what was cloned has prototypes of another realm under Jest. */
const isSame = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

const isName = (name: string): name is Name => (NAMES as readonly string[]).includes(name);

const prefix = (who: string, what: string | undefined) => what && `${who}: ${what}`;

function summary(request: Request): string {
  if (request.kind === 'ask') return 'where do you stand?';
  const ids = request.events.map(({ id, data }) => id ?? `classic ${data.id}`).join(' ');
  if (request.kind === 'publish') return `publish (told ${request.published ?? 'nothing'}) ${ids}`;
  const places = request.after ? `${request.after}..${request.upto}` : 'redelivery';
  return `${request.form} ${places}${request.replay ? ` order ${request.replay}` : ''} ${ids}`;
}

const describe = (message: Message) =>
  `${message.from} > ${message.to}: ${'answer' in message ? `answer ${message.answer.status}` : summary(message.request)}`;
