// A fake of the gateway's `/api/system` routes. All other requests go to the fake blog.
import { type AxiosAdapter, AxiosError, CanceledError } from 'axios';
import type { Arrival, DeadLetter, LogEntry, Subscription } from '../src/system/bus.ts';
import { PARTS } from '../src/system/requests.ts';
import { type Answer, FakeEventSource } from './fake-blog.ts';

const TIME = '2026-01-02T03:04:05.000Z';

export function anEntry(position: number, more: Partial<LogEntry> = {}): LogEntry {
  const subject = more.subject ?? `post-${position}`;
  const type = more.type ?? 'PostCreated';
  const data = { id: subject, title: `Title ${position}` };
  const event = { id: `${subject}/${type}`, source: 'posts', type, subject, time: TIME, recordedtime: TIME, data };
  return { position, specversion: '1.0', ...event, ...more };
}

export function aSubscription(name: string, more: Partial<Subscription> = {}): Subscription {
  const kept = { kind: 'checkpointed', position: 0, lag: 0, lagSeconds: 0, state: 'live' } as const;
  return { name, service: name, ...kept, replay: null, lastError: null, nextAttempt: null, ...more };
}

export function aLetter(id: number, more: Partial<DeadLetter> = {}): DeadLetter {
  const { position, ...event } = anEntry(id, { type: 'CommentCreated' });
  const reason = 'answered 422 5 times: It lacks its ids.';
  return { id: String(id), subscription: 'moderation', position, reason, parkedAt: TIME, event, ...more };
}

const problem = (status: number, detail: string, rule?: string): Answer => ({
  status,
  body: { status, detail, ...(rule && { errors: [{ field: detail.split(' ')[0], detail: rule }] }) },
});

const READY = { status: 'ready', degraded: [] };

/** A fake system: parts, bus and log. Tests change its fields. */
export class FakeSystem {
  /** The log, oldest first. */
  log: LogEntry[] = [];
  subscriptions: Subscription[] = ['posts', 'comments', 'query', 'moderation'].map((name) => aSubscription(name));
  /** The answers of the parts to `/readyz`; one that is missing is away. */
  parts = new Map<string, unknown>(PARTS.map((name) => [name, READY]));
  /** A text in place of the answer of a part, or of `subscriptions`, as a foreign part gives it. */
  raw = new Map<string, string>();
  control = false;
  logs: string | undefined;
  /** Newest first. */
  letters: DeadLetter[] = [];
  lettersOnPage = 50;
  /** Overrides the answer to a request, unless it returns undefined. */
  onAsk: (method: string, path: string, query: URLSearchParams) => Answer | undefined | Promise<Answer | undefined> =
    () => undefined;
  /** The requests received: `GET /log?limit=1`; and the time of each, by `performance.now()`. */
  asked: string[] = [];
  askedAt: number[] = [];
  /** Those that the page aborted before the answer. */
  givenUp: string[] = [];
  /** The deliveries of the event at a position. */
  deliveries = new Map<number, Arrival[]>();
  /** The control actions received: `/subscriptions/query/replay 3`. */
  pressed: string[] = [];

  /** Stops the bus: it no longer answers, and its stream breaks. */
  stopBus() {
    this.parts.delete('event-bus');
    this.stream.fail();
  }
  startBus() {
    this.parts.set('event-bus', READY);
  }

  checkpoint(position = this.log.length): string {
    return `${position}-${String(position).padStart(32, '0')}`;
  }

  /** Appends events and sends them to the readers of the stream. */
  publish(...entries: LogEntry[]) {
    this.log.push(...entries);
    for (const entry of entries) this.streamOrNone?.send(this.checkpoint(entry.position), entry);
  }

  get stream(): FakeEventSource {
    if (!this.streamOrNone) throw new Error('the stream of the log was not opened');
    return this.streamOrNone;
  }
  private get streamOrNone(): FakeEventSource | undefined {
    return FakeEventSource.opened.findLast(({ url, closed }) => url.startsWith('/api/system/log/stream') && !closed);
  }

  /** Replaces the adapter with which axios sends; `blog` is that of a FakeBlog. */
  adapter =
    (blog: AxiosAdapter): AxiosAdapter =>
    async (config) => {
      const [, path] = /^\/api\/system(\/.*)$/.exec(config.url ?? '') ?? [];
      if (!path) return blog(config);
      const method = (config.method ?? 'get').toUpperCase();
      const params = Object.entries(config.params ?? {}).filter(([, value]) => value !== undefined);
      const query = new URLSearchParams(params.map(([name, value]) => [name, String(value)]));
      const asked = `${method} ${path}${query.size > 0 ? `?${query}` : ''}`;
      this.asked.push(asked);
      this.askedAt.push(performance.now());
      config.signal?.addEventListener?.('abort', () => this.givenUp.push(asked));
      const body = config.data === undefined ? undefined : JSON.parse(config.data);
      if (method !== 'GET') this.pressed.push(body?.from === undefined ? path : `${path} ${body.from}`);
      const answer = (await this.onAsk(method, path, query)) ?? this.answer(method, path, query, body);
      if (config.signal?.aborted) throw new CanceledError('given up', config);
      const { status = 200, headers = {} } = answer;
      const data = JSON.parse(JSON.stringify(answer.body ?? {}));
      const response = { status, statusText: '', data, headers, config };
      if (status < 300) return response;
      throw new AxiosError(`answered ${status}`, undefined, config, null, response);
    };

  private answer(method: string, path: string, query: URLSearchParams, body?: { from?: number }): Answer {
    if (path === '/state') return { body: this.states() };
    if (!this.parts.has('event-bus')) return problem(503, 'event-bus is not answering. Try again in a moment.');
    if (path === '/log') return this.readLog(query);
    const [, position] = /^\/log\/(\d+)\/deliveries$/.exec(path) ?? [];
    if (position) return { body: this.deliveries.get(Number(position)) ?? [] };
    if (path === '/dead-letters') return this.readLetters(query.get('cursor'));
    if (method === 'GET' || !this.control) return problem(404, 'There is nothing at this address.');
    const [, kind, name = '', command] = path.split('/');
    if (kind === 'subscriptions' && method === 'DELETE') {
      this.subscriptions = this.subscriptions.filter((one) => one.name !== name);
      return { status: 204 };
    }
    return kind === 'subscriptions' ? this.command(name, command, body?.from) : this.takeLetter(name);
  }

  /** One line for each part, and one for the subscriptions (NDJSON). */
  private states(): string {
    const parts = PARTS.map((name) => [name, this.parts.get(name) ?? null] as const);
    const answers = new Map<string, unknown>([
      ...parts,
      ['client', { ...READY, control: this.control, logs: this.logs }],
      ['subscriptions', this.parts.has('event-bus') ? this.subscriptions : null],
    ]);
    const line = ([name, state]: [string, unknown]) =>
      `{"name":"${name}","state":${this.raw.get(name) ?? JSON.stringify(state)}}\n`;
    return [...answers].map(line).join('');
  }

  private readLetters(cursor: string | null): Answer {
    const rest = this.letters.filter(({ id }) => cursor === null || Number(id) < Number(cursor));
    const headers: Record<string, string> = rest.length > this.lettersOnPage ? { link: '</next>; rel="next"' } : {};
    return { body: rest.slice(0, this.lettersOnPage), headers };
  }

  private takeLetter(id: string): Answer {
    const before = this.letters.length;
    this.letters = this.letters.filter((letter) => letter.id !== id);
    return this.letters.length < before
      ? {}
      : problem(404, 'id must be the id of a dead letter', 'must be the id of one');
  }

  private command(name: string, command: string | undefined, from: number | undefined): Answer {
    const found = this.subscriptions.find((one) => one.name === name);
    if (!found) return problem(404, 'name must be the name of a subscription', 'must be the name of a subscription');
    const most = found.state === 'diverged' ? 1 : found.position + 1;
    if (command === 'skip' && found.lag === 0) return problem(409, 'There is no event to skip.');
    if (command === 'replay' && !(from && from <= most))
      return problem(400, 'from is wrong', `must be at most ${most}`);
    if (command === 'skip') this.letters.unshift(aLetter(found.position + 1, { subscription: name }));
    if (command === 'pause') this.change(name, { state: 'paused' });
    if (command === 'resume') this.change(name, { state: 'live' });
    return { body: this.subscriptions.find((one) => one.name === name) };
  }

  /** Changes a subscription. */
  change(name: string, more: Partial<Subscription>) {
    this.subscriptions = this.subscriptions.map((one) => (one.name === name ? { ...one, ...more } : one));
  }

  private readLog(query: URLSearchParams): Answer {
    const wanted = (name: 'type' | 'subject', entry: LogEntry) => [null, entry[name]].includes(query.get(name));
    const before = Number(query.get('before') ?? 0);
    const found = this.log
      .filter(({ position }) => (before ? position < before : position > Number(query.get('after') ?? 0)))
      .filter((entry) => wanted('type', entry) && wanted('subject', entry));
    const body = (before ? found.reverse() : found).slice(0, Number(query.get('limit') ?? Number.MAX_SAFE_INTEGER));
    return { body, headers: { 'event-head': this.checkpoint() } };
  }
}
