// The streams of the bus on the servers of NATS JetStream: the log, and the lease of the leader.
import type { Checkpoint } from '@blog/common/core/checkpoint.ts';
import type { JetStreamClient, JetStreamManager, StoredMsg, StreamInfo } from '@nats-io/jetstream';
import type { MsgHdrs, NatsConnection } from '@nats-io/transport-node';

/** The additions of a commit to the log: the records, and the checkpoint behind them; and the changes of the control state. */
export type Sealed = { records: string[]; upto: Checkpoint; control: string };
export type Message = Sealed & { seq: number };
export type Node = { name: string; leader: boolean; current: boolean; offline: boolean };

export const LOG = 'log';
export const LEASE = 'lease';
/** Core NATS, not stored: only hints. (A subscription to the stream's own subject would hide that no server has stored it.) */
const GROWN = 'bus.grown';
const PRESENT = 'bus.present';

/** The term of the lease, in milliseconds. */
export const TERM = 2_000;
/** The time after which a copy that says nothing is no longer there, in milliseconds. */
const PRESENT_FOR = 3 * TERM;
/** The maximum time of one request, in milliseconds. */
export const DEADLINE = 2_000;
/** The maximum wait for an acknowledgement, in milliseconds: a message in flight is lost with the stream's leader. */
const ACKNOWLEDGED_WITHIN = 1_000;
/** The maximum of one reading, in messages and bytes. */
const BATCH = { batch: 256, max_bytes: 2 * 1024 * 1024 };

/** JetStream's error code for a message that is not there. */
const NO_MESSAGE = 404;

/** The client's own timeouts do not hold while it reconnects. */
export function bounded<T>(work: Promise<T>, milliseconds = DEADLINE + 500): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('the servers do not answer in time')), milliseconds);
  work.catch(() => {}).finally(() => clearTimeout(timer));
  return Promise.race([work, promise]);
}

type Client = {
  connection: NatsConnection;
  manager: JetStreamManager;
  jetstream: JetStreamClient;
  headers: () => MsgHdrs;
};

export class LogStream {
  #client: Client;
  #heard = new Map<string, number>();
  #nodes: Node[] = [];

  constructor(client: Client) {
    this.#client = client;
    client.connection.subscribe(PRESENT, {
      callback: (_, message) => void this.#heard.set(message.string(), performance.now()),
    });
  }

  /**
   * Appends one message behind the message `after`, or nothing (optimistic concurrency). After a timeout it may be there, or
   * may still come: a reader of the stream finds out.
   * @returns its sequence
   */
  async append(after: number, { records, upto, control }: Sealed): Promise<number> {
    const headers = this.#client.headers();
    headers.set('event-upto', upto);
    if (control) headers.set('event-control', control);
    // A batch of CloudEvents (JSON format §4). JSON has no line break inside a record, so that it can be split again as it was.
    const body = `[${records.join(',\n')}]`;
    const options = { expect: { lastSequence: after }, headers, timeout: ACKNOWLEDGED_WITHIN };
    const { seq } = await bounded(this.#client.jetstream.publish(LOG, body, options));
    this.#client.connection.publish(GROWN);
    return seq;
  }

  /** The next messages from this one on, some of them; none at the end. */
  async read(seq: number): Promise<Message[]> {
    const messages: StoredMsg[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const callback = (done: { err?: Error } | null, message: StoredMsg) => {
      if (!done) messages.push(message);
      else if (done.err && (done.err as { code?: number }).code !== NO_MESSAGE) reject(done.err);
      else resolve();
    };
    const reading = await this.#client.manager.direct.getBatch(LOG, { seq, ...BATCH, callback });
    // Ends its subscription, if the servers do not.
    await bounded(promise).finally(() => (reading as { stop(): void }).stop());
    return messages.map((message) => {
      const body = message.string().slice(1, -1);
      const [upto, control] = [message.header.get('event-upto'), message.header.get('event-control')];
      return { seq: message.seq, records: body ? body.split(',\n') : [], upto, control };
    });
  }

  /** Calls the listener when the stream may have grown. */
  onGrown(listener: () => void): void {
    this.#client.connection.subscribe(GROWN, { callback: listener });
  }

  /** The message in the stream of the lease. */
  async lease(): Promise<{ seq: number; text: string } | undefined> {
    const message = await bounded(this.#client.manager.direct.getMessage(LEASE, { last_by_subj: LEASE }), TERM / 2);
    return message ? { seq: message.seq, text: message.string() } : undefined;
  }

  /** Replaces the message of the lease, if `after` is its sequence; 0: if there is none. */
  async setLease(after: number, text: string): Promise<void> {
    const options = { expect: { lastSubjectSequence: after }, timeout: TERM / 2 };
    await bounded(this.#client.jetstream.publish(LEASE, text, options), TERM / 2);
  }

  /** Tells the other copies that this one is there. */
  present(name: string): void {
    this.#client.connection.publish(PRESENT, name);
  }

  /** The names of the copies that are there. */
  get copies(): string[] {
    const since = performance.now() - PRESENT_FOR;
    return [...this.#heard].filter(([, at]) => at > since).map(([name]) => name);
  }

  info(): Promise<StreamInfo> {
    return bounded(this.#client.manager.streams.info(LOG));
  }

  /** The nodes that hold the stream; as they were last known, and not current, while none answers. */
  async nodes(): Promise<Node[]> {
    const info = await this.info().catch(() => undefined);
    if (!info) return this.#nodes.map((node) => ({ ...node, leader: false, current: false }));
    const { leader, replicas = [] } = info.cluster ?? { leader: this.#client.connection.info?.server_name };
    const others = replicas.map(({ name, current, offline = false }) => ({ name, leader: false, current, offline }));
    const own = leader ? [{ name: leader, leader: true, current: true, offline: false }] : [];
    this.#nodes = [...own, ...others].sort((a, b) => a.name.localeCompare(b.name));
    return this.#nodes;
  }

  async close(): Promise<void> {
    await this.#client.connection.close();
  }
}
