// The timeline of a run: each request between the processes with its answer, and each start, kill and pause.

/** A process, or a role of the grader: `publisher`, `bus`, `query`. */
type Party = string;

export type Entry = {
  /** Milliseconds since the begin of the run. */
  at: number;
  kind:
    | 'request' // from one party to another
    | 'answer' // to the request with the same number, in the opposite direction
    | 'no answer' // the same, for a request that was reset, refused, or given up
    | 'start'
    | 'kill' // kill -9
    | 'end' // by itself, or asked to
    | 'pause' // a party is away, or holds its answers
    | 'resume'
    | 'note';
  from: Party;
  /** The other party of a request or an answer. */
  to?: Party;
  /** The number of the exchange that a request and its answer have in common. */
  exchange?: number;
  /** Short: `POST /events post 1`, `503`. */
  text: string;
  /** The keys of the events that this entry carries. */
  events?: string[];
};

export class Recorder {
  readonly entries: Entry[] = [];
  #began = performance.now();
  #exchanges = new Map<number, Entry>();
  #count = 0;
  #grown = Promise.withResolvers<void>();

  add(entry: Omit<Entry, 'at'>): void {
    this.entries.push({ at: performance.now() - this.#began, ...entry });
    this.#grown.resolve();
    this.#grown = Promise.withResolvers();
  }

  /** Resolves with the next entry. */
  get grown(): Promise<void> {
    return this.#grown.promise;
  }

  /** A request is under way; returns its number. */
  request(from: Party, to: Party, text: string, events: string[] = []): number {
    this.#count += 1;
    this.add({ kind: 'request', from, to, exchange: this.#count, text, events });
    this.#exchanges.set(this.#count, this.entries.at(-1) as Entry);
    return this.#count;
  }

  /** The answer to a request, or the reason for which there is none; the first one counts. */
  answer(exchange: number, text: string, kind: 'answer' | 'no answer' = 'answer'): void {
    const request = this.#exchanges.get(exchange);
    if (!request) return;
    this.#exchanges.delete(exchange);
    this.add({ kind, from: request.to as Party, to: request.from, exchange, text, events: request.events });
  }

  /** Something that one party does alone, or that is done to it. */
  event(kind: Entry['kind'], party: Party, text: string = kind): void {
    this.add({ kind, from: party, text });
  }
}
