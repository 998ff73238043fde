// The stage of a check of a bus: the graded bus, the grader's subscribers around it, and a publisher.
import type http from 'node:http';
import { Failed } from '../check.ts';
import { difference, type Event, keyOf, listed, post } from '../events.ts';
import { type Program, WAITED } from '../program.ts';
import { type Answer, isSuccess, shown } from '../request.ts';
import type { Run } from '../run.ts';
import { Subscriber } from '../subscriber.ts';

const NAMES = ['posts', 'comments', 'query', 'moderation'];

type StageOptions = {
  /** The number of subscribers, at most four. */
  subscribers?: number;
  /** `DELIVERY_TIMEOUT_MS`. Long unless a check hangs on purpose: a slow machine must not look like a hanging subscriber. */
  timeout?: number;
  /** The first subscriber keeps a checkpoint. */
  isCheckpointed?: boolean;
};

export class Stage {
  readonly run: Run;
  readonly bus: Program;
  readonly subscribers: Subscriber[];
  /** Of which kind it is: a check of the same scene that wants another kind gets a new one. */
  readonly setting: string;
  /** The keys of the events of this check, and of those before it in its scene. */
  #published = new Set<string>();
  #earlier = new Set<string>();
  #made = 0;

  constructor(run: Run, bus: Program, subscribers: Subscriber[], setting: string) {
    this.setting = setting;
    this.run = run;
    this.bus = bus;
    this.subscribers = subscribers;
  }

  /** Begins the next check of a scene. */
  begin(): void {
    this.#earlier = this.#earlier.union(this.#published);
    this.#published.clear();
    for (const subscriber of this.subscribers) subscriber.begin(this.#earlier);
  }

  /** New events: those of earlier checks have other numbers. */
  posts(count: number, make = post): Event[] {
    const first = this.#made + 1;
    this.#made += count;
    return Array.from({ length: count }, (_, i) => make(first + i));
  }

  /** The first subscriber, which gets into trouble; the others must not notice. */
  get first(): Subscriber {
    return this.subscribers[0] as Subscriber;
  }

  get others(): Subscriber[] {
    return this.subscribers.slice(1);
  }

  send(event: unknown, more: { as?: string; agent?: http.Agent } = {}): Promise<Answer> {
    const key = keyOf(event);
    this.#published.add(key);
    const told = { text: `POST /events ${key}`, events: [key] };
    const body = JSON.stringify(event);
    const { as = 'publisher', agent } = more;
    return this.run.request(as, this.bus, { method: 'POST', path: '/events', body, agent }, told);
  }

  /** Publishes one event, which must be acknowledged. */
  async publish(event: unknown, more: { as?: string; agent?: http.Agent } = {}): Promise<Answer> {
    const answer = await this.send(event, more);
    const key = keyOf(event);
    if (isSuccess(answer)) {
      this.run.progress += 1;
      return answer;
    }
    throw new Failed(`POST /events ${key}`, 'any 2xx', shown(answer), [key]);
  }

  /** Publishes events one after another. */
  async publishAll(events: Event[], as?: string): Promise<string[]> {
    for (const event of events) await this.publish(event, { as });
    return events.map(keyOf);
  }

  /** Publishes events, each after these subscribers have the one before: so the bus has had the time to store its positions. */
  async publishInTurn(events: Event[], subscribers = this.subscribers): Promise<string[]> {
    for (const event of events) {
      const keys = await this.publishAll([event]);
      await this.arrive(`POST /events ${listed(keys)}`, keys, subscribers);
    }
    return events.map(keyOf);
  }

  /** Waits until a subscriber has taken all these events. */
  takes(subscriber: Subscriber, keys: string[]): Promise<boolean> {
    return this.run.until(() => keys.every((key) => subscriber.took(key)));
  }

  /**
   * Waits until subscribers have taken all these events.
   * @throws Failed naming those that do not come
   */
  async arrive(sent: string, keys: string[], subscribers = this.subscribers): Promise<void> {
    for (const subscriber of subscribers) {
      const { name, strange } = subscriber;
      if (await this.takes(subscriber, keys)) continue;
      const missing = keys.filter((key) => !subscriber.took(key));
      const seen = missing.length === keys.length ? `${name} got nothing` : `${name} did not get ${listed(missing)}`;
      const instead = strange.length > 0 ? `; ${strange[0]} instead of POST to its URL` : '';
      throw new Failed(sent, `${name} gets ${listed(keys)} ${WAITED}`, `${seen}${instead}`, missing);
    }
  }

  /** The log, as `GET /events` answers it, from this check on. */
  async log(): Promise<Event[]> {
    const answer = await this.run.request('reader', this.bus, { method: 'GET', path: '/events' });
    if (isSuccess(answer) && Array.isArray(answer.body))
      return answer.body.filter((event) => !this.#earlier.has(keyOf(event)));
    const seen = isSuccess(answer) ? 'an answer that is no JSON array' : shown(answer);
    throw new Failed('GET /events', 'a JSON array of all events', seen);
  }

  /** Compares the log with the events that should be in it, in this order. */
  async assertLog(sent: string, keys: string[]): Promise<Event[]> {
    const log = await this.log();
    const wrong = difference(keys, log.map(keyOf));
    if (wrong) throw new Failed(`${sent}; GET /events`, `${listed(keys)}, in this order`, wrong.seen, wrong.about);
    return log;
  }

  kill = () => this.run.kill(this.bus);
  restart = () => this.run.restart(this.bus);
}

/** Starts a bus with its subscribers. */
export async function startBus(run: Run, options: StageOptions = {}): Promise<Stage> {
  const { subscribers: count = 2, timeout = 30_000, isCheckpointed = false } = options;
  const setting = JSON.stringify({ count, timeout, isCheckpointed });
  const kept = run.kept as Stage | undefined;
  if (kept?.setting === setting) {
    kept.begin();
    return kept;
  }
  const names = NAMES.slice(0, count);
  const subscribers = await Promise.all(names.map(async (name) => new Subscriber(run, name, await run.freePort())));
  const urls = subscribers.map(({ url }) => url);
  await Promise.all(subscribers.map((subscriber) => subscriber.open()));
  if (isCheckpointed && subscribers[0]) subscribers[0].checkpoint = '0';
  const bus = await run.program('bus', {
    SUBSCRIBERS: urls.join(),
    DELIVERY_TIMEOUT_MS: String(timeout),
    // By other names, for the bus of this project and for the classic one.
    SUBSCRIPTIONS: subscribers.map(({ name, url }) => `${name}=${url}`).join(),
    ...Object.fromEntries(NAMES.map((name, i) => [`${name.toUpperCase()}_URL`, baseOf(urls[i])])),
  });
  run.recorder.event('start', 'bus', 'starts');
  await bus.start();
  const stage = new Stage(run, bus, subscribers, setting);
  run.kept = stage;
  return stage;
}

/** The address without its path; of a subscriber that is not there, one at which nothing listens. */
const baseOf = (url: string | undefined): string => (url ? new URL(url).origin : 'http://127.0.0.1:9');
