// The whole system of the model without faults: all parts, the network, the users, and the random choices.

import { createRandom } from '../lib/random.ts';
import { Bus } from './bus.ts';
import { watch, watchPush } from './invariants.ts';
import { Service } from './service.ts';
import { type Answer, type Bug, describe, type Event, type Message, type Request, type Row, tableOf } from './types.ts';

export const OWNERS = ['posts', 'comments', 'moderation'] as const;
export const NAMES = [...OWNERS, 'query'] as const;
export type Name = (typeof NAMES)[number];
export type Part = Name | 'bus';
/** The part of the system that a part uses. */
export type World = Pick<System, 'bugs' | 'now' | 'uuid' | 'send' | 'isPoison' | 'isRefused' | 'verdict'>;

/** All parts, the network between them, and the users, one step at a time. A step returns a description. */
export class System {
  readonly bugs: ReadonlySet<Bug>;
  readonly trace: string[] = [];
  #random: () => number;
  #count = 0;
  net: Message[] = [];
  /**
   * Half of the schedules have no dead letters, and a person who is not told of restored backups: every loss of the log
   * must then be noticed. In the others the person ends with the replay that the design asks for.
   */
  readonly isTold: boolean;
  /** One schedule in five has only two kinds of faults, so that they alone reveal a small loss of the log. */
  readonly isBare: boolean;

  banned = false;
  classicModeration = false;
  poison = new Set<string>();
  refused = new Set<string>();
  /** Second processes of a part. */
  twins = new Map<Name, Service>();
  backups: { part: Part; disk: unknown }[] = [];

  /** Rows whose users got a 201, in order. Rows that a wipe or an old backup may lose are removed. */
  acknowledged: Row[] = [];
  /** The first verdict on each comment, or 'any'. */
  verdicts = new Map<string, string>();
  /** Every checkpoint that a subscriber has committed, every replay order with its `from`, and the orders taken. */
  checkpoints = new Set<string>();
  orders = new Map<string, number>();
  taken = new Set<string>();
  /** The parts whose databases were lost or restored, and those of them that a person still has to replay. */
  lost = new Set<Part>();
  toReplay = new Set<Part>();
  /** True if there may have been dead letters. */
  mayPark = false;

  // ---- Random choices

  /** A number from 0 to `most`. */
  number = (most: number) => this.#random() * most;
  chance = (probability: number) => this.#random() < probability;
  pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(this.number(items.length))];
  any = <T>(items: readonly [T, ...T[]]): T => this.pick(items) ?? items[0];
  anyPart = (): Part => this.any(['bus', ...NAMES]);

  // ---- Used by the parts

  now = () => this.#count;
  uuid = () => `u${this.#next()}`;
  /** True if the handler of this part throws on this event. */
  isPoison = (part: string, event: Event) => this.poison.has(`${part} ${event.id}`);
  /** True if the bus refuses this event for good, for example because it is too large. */
  isRefused = ({ id = '' }: Event) => this.refused.has(id);
  /** The list of banned words changes over time: only the first verdict counts. */
  verdict = (comment: string) => {
    const status = this.banned ? 'rejected' : 'approved';
    if (!this.verdicts.has(comment)) this.verdicts.set(comment, status);
    return status;
  };
  /** Sends a request. Its answer comes to the part's `answered` or `relayed`, unless it is lost. */
  send = (from: string, to: string, request: Request) => {
    const exchange = this.#next();
    this.net.push({ from, to, exchange, request });
    return exchange;
  };

  readonly bus = new Bus(this, NAMES);
  /** The bus's disk as it was before the last publication. */
  before: Bus['disk'] | undefined;
  readonly services: Record<Name, Service> = {
    posts: new Service(this, 'posts'),
    comments: new Service(this, 'comments'),
    moderation: new Service(this, 'moderation'),
    query: new Service(this, 'query'),
  };

  constructor(seed: number, bugs: ReadonlySet<Bug>) {
    this.bugs = bugs;
    this.#random = createRandom(seed);
    this.isBare = this.chance(0.2);
    this.isTold = !this.isBare && this.chance(0.5);
  }

  // ---- Steps without faults

  /** Delivers a message, or runs one turn of a relay or a loop of the bus. */
  work(): string | undefined {
    if (this.net.length > 0 && this.chance(0.6)) return this.#deliver(this.take());
    if (this.chance(0.35)) {
      const name = this.any(OWNERS);
      const isClassic = name === 'moderation' && this.classicModeration;
      const process = this.chance(0.5) ? this.#newest(name) : this.services[name];
      return isClassic ? undefined : prefix(name, process.relay());
    }
    const name = this.any(NAMES);
    const turn = watch(this, name, () => this.bus.loop(name).turn());
    return prefix(`bus > ${name}`, turn);
  }

  timeout(): string | undefined {
    const name = this.any(NAMES);
    if (this.chance(0.5)) return prefix(`bus > ${name}`, this.bus.loop(name).timeout());
    return prefix(name, this.#newest(name).timeout());
  }

  #newest(name: Name): Service {
    return this.twins.get(name) ?? this.services[name];
  }

  /** Creates a user's post, up to a maximum number. */
  post(most = Number.POSITIVE_INFINITY): string | undefined {
    if (this.acknowledged.filter(({ postId }) => !postId).length >= most) return;
    return this.#create({ id: `p${this.#next()}` });
  }

  comment(most = Number.POSITIVE_INFINITY): string | undefined {
    if (this.acknowledged.filter(({ postId }) => postId).length >= most) return;
    const postId = this.pick([...this.services.comments.disk.posts.keys()]);
    return postId && this.#create({ id: `c${this.#next()}`, postId });
  }

  #create(row: Row): string {
    this.services[tableOf(row)].create(row);
    this.acknowledged.push(row);
    return `${tableOf(row)}: acknowledges ${row.id}`;
  }

  #deliver(message: Message): string {
    const { from, to, exchange } = message;
    if ('request' in message) {
      const answer = this.#handle(to, message.request);
      this.net.push({ from: to, to: from, exchange, answer });
      return `${from} > ${to}: ${describe(message.request)}: ${JSON.stringify(answer)}`;
    }
    const { answer } = message;
    if (to === 'bus' && isName(from)) {
      watch(this, from, () => this.bus.loop(from).answered(exchange, answer), answer);
    }
    if (isName(to)) for (const each of [this.services[to], this.twins.get(to)]) each?.relayed(exchange, answer);
    return `${from} > ${to}: answer ${JSON.stringify(answer)}`;
  }

  #handle(to: string, request: Request): Answer {
    if (request.kind === 'publish') {
      const { disk } = this.bus;
      this.before = { ...disk, subscriptions: structuredClone(disk.subscriptions), letters: [...disk.letters] };
      return this.bus.publish(request);
    }
    if (to === 'moderation' && this.classicModeration) return this.#classic(request);
    if (!isName(to)) throw new Error(`there is no ${to}`);
    return request.kind === 'ask' ? this.services[to].ask() : watchPush(this, to, request);
  }

  /** The classic moderation: keeps nothing, judges each time, does not understand batches, but answers 200. */
  #classic(request: Request): Answer {
    if (request.kind !== 'push') return { status: 404 };
    for (const { type, data } of request.form === 'plain' ? request.events : []) {
      if (type !== 'CommentCreated') continue;
      const judged = { ...data, status: this.verdict(data.id) };
      const event = { source: 'classic', type: 'CommentModerated', data: judged, time: this.#count };
      // The two moderations race for the first verdict in the log.
      this.verdicts.set(data.id, 'any');
      this.send('classic', 'bus', { kind: 'publish', source: 'classic', events: [event] });
    }
    return { status: 200 };
  }

  #next(): number {
    this.#count += 1;
    return this.#count;
  }

  /** Takes a random message, because messages overtake each other. */
  take(): Message {
    const [message] = this.net.splice(Math.floor(this.number(this.net.length)), 1);
    if (!message) throw new Error('the network is empty');
    return message;
  }

  say(line: string | undefined): void {
    if (line) this.trace.push(line);
  }
}

const isName = (name: string): name is Name => (NAMES as readonly string[]).includes(name);

const prefix = (who: string, what: string | undefined) => what && `${who}: ${what}`;
