// The stream of the log on the servers of NATS JetStream: made, checked, appended to and read.
import type { Checkpoint } from '@blog/common/core/checkpoint.ts';
import type { JetStreamClient, JetStreamManager, StoredMsg, StreamInfo } from '@nats-io/jetstream';
import type { MsgHdrs, NatsConnection } from '@nats-io/transport-node';

/** The servers, and the name and the address of this copy. */
export type Servers = { servers: string[]; token?: string; replicas: number; name: string; url: string };

/** The additions of a commit to the log: the records, and the checkpoint behind them; and the changes of the control state. */
export type Sealed = { records: string[]; upto: Checkpoint; control: string };
export type Message = Sealed & { seq: number };
export type Node = { name: string; leader: boolean; current: boolean; offline: boolean };

/** A setting of the bus or of the servers is wrong: only a person can mend it. */
export class Unusable extends Error {}

const LOG = 'log';
const LEASE = 'lease';
const FILE = 'file' as const;
/** Core NATS, not stored: only hints. (A subscription to the stream's own subject would hide that nobody has stored it.) */
const GROWN = 'bus.grown';
const PRESENT = 'bus.present';

/** The term of the lease, in milliseconds. */
export const TERM = 2_000;
/** The maximum time of one request, in milliseconds. */
const DEADLINE = 2_000;
/** The maximum wait for an acknowledgement, in milliseconds: a message in flight is lost with the stream's leader. */
const ACKNOWLEDGED_WITHIN = 1_000;
/** The maximum of one reading, in messages and bytes. */
const BATCH = { batch: 256, max_bytes: 2 * 1024 * 1024 };

/** Error codes of JetStream's API. */
const NOT_FOUND = 10_059;
const NO_MESSAGE = 404;
export const codeOf = (error: unknown): number | undefined => (error as { code?: number }).code;

/** The client's own timeouts do not hold while it reconnects. */
function bounded<T>(work: Promise<T>, milliseconds = DEADLINE + 500): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('the servers do not answer in time')), milliseconds);
  work.catch(() => {}).finally(() => clearTimeout(timer));
  return Promise.race([work, promise]);
}

export class LogStream {
  #connection: NatsConnection;
  #manager: JetStreamManager;
  #stream: JetStreamClient;
  #headers: () => MsgHdrs;

  private constructor(
    connection: NatsConnection,
    manager: JetStreamManager,
    stream: JetStreamClient,
    headers: () => MsgHdrs,
  ) {
    this.#connection = connection;
    this.#manager = manager;
    this.#stream = stream;
    this.#headers = headers;
  }

  /**
   * Connects, once.
   * @throws Unusable if the token is wrong; any other error while the servers are away
   */
  static async connect({ servers, token, name }: Servers): Promise<LogStream> {
    // Loaded only where there is a quorum.
    const { connect, headers } = await import('@nats-io/transport-node');
    const { jetstream, jetstreamManager } = await import('@nats-io/jetstream');
    const patience = { maxReconnectAttempts: -1, reconnectTimeWait: 100, pingInterval: 2_000, maxPingOut: 2 };
    const connection = await connect({
      servers,
      token,
      name,
      timeout: DEADLINE,
      ignoreClusterUpdates: true,
      ...patience,
    }).catch((error) => {
      if (error.name !== 'AuthorizationError') throw error;
      throw new Unusable('The servers at NATS_URL refuse NATS_TOKEN.');
    });
    try {
      const manager = await bounded(jetstreamManager(connection, { timeout: DEADLINE }));
      return new LogStream(connection, manager, jetstream(connection, { timeout: DEADLINE }), headers);
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /** The state of the stream; undefined if there is no such stream. */
  async info(): Promise<StreamInfo | undefined> {
    return bounded(this.#manager.streams.info(LOG)).catch((error) => {
      if (codeOf(error) !== NOT_FOUND) throw error;
      return undefined;
    });
  }

  /** Makes the stream of this log, in which nothing ever changes. */
  async create(log: string, num_replicas: number): Promise<void> {
    const kept = { allow_direct: true, deny_delete: true, deny_purge: true, discard: 'new' as const };
    const config = { name: LOG, subjects: [LOG], storage: FILE, num_replicas, ...kept, metadata: { log } };
    await bounded(this.#manager.streams.add(config), 10_000);
  }

  /** Makes the stream of the lease: one message, which the servers forget after the term. */
  async createLease(num_replicas: number): Promise<void> {
    const config = { name: LEASE, subjects: [LEASE], storage: FILE, num_replicas, allow_direct: true };
    await bounded(this.#manager.streams.add({ ...config, max_msgs: 1, max_age: TERM * 1_000_000 }), 10_000);
  }

  /**
   * Appends one message behind the message `after`, or nothing (optimistic concurrency). After a timeout it may be there, or
   * may still come: whoever reads the stream finds out.
   * @returns its sequence
   */
  async append(after: number, { records, upto, control }: Sealed): Promise<number> {
    const headers = this.#headers();
    headers.set('event-upto', upto);
    if (control) headers.set('event-control', control);
    // A batch of CloudEvents (JSON format §4). JSON has no line break inside a record, so that it can be split again as it was.
    const body = `[${records.join(',\n')}]`;
    const options = { expect: { lastSequence: after }, headers, timeout: ACKNOWLEDGED_WITHIN };
    const { seq } = await bounded(this.#stream.publish(LOG, body, options));
    this.#connection.publish(GROWN);
    return seq;
  }

  /** The next messages from this one on, some of them; none at the end. */
  async read(seq: number): Promise<Message[]> {
    const messages: StoredMsg[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const callback = (done: { err?: Error } | null, message: StoredMsg) => {
      if (!done) messages.push(message);
      else if (done.err && codeOf(done.err) !== NO_MESSAGE) reject(done.err);
      else resolve();
    };
    const reading = await this.#manager.direct.getBatch(LOG, { seq, ...BATCH, callback });
    // Ends its subscription, if the servers do not.
    await bounded(promise).finally(() => (reading as { stop(): void }).stop());
    return messages.map((message) => {
      const body = message.string().slice(1, -1);
      const [upto, control] = [message.header.get('event-upto'), message.header.get('event-control')];
      return { seq: message.seq, records: body ? body.split(',\n') : [], upto, control };
    });
  }

  /** The nodes that hold the stream. */
  nodesOf({ cluster }: StreamInfo): Node[] {
    const leader = { name: cluster?.leader || this.#connection.info?.server_name || '', leader: true };
    const others = cluster?.replicas ?? [];
    const own = { ...leader, current: true, offline: false };
    const all = others.map(({ name, current, offline = false }) => ({ name, leader: false, current, offline }));
    return [...(cluster && !cluster.leader ? [] : [own]), ...all].sort((a, b) => a.name.localeCompare(b.name));
  }

  /** The message in the stream of the lease. */
  async lease(): Promise<{ seq: number; text: string } | undefined> {
    const message = await bounded(this.#manager.direct.getMessage(LEASE, { last_by_subj: LEASE }));
    return message ? { seq: message.seq, text: message.string() } : undefined;
  }

  /** Replaces the message of the lease, if `after` is its sequence; 0: if there is none. */
  async setLease(after: number, text: string): Promise<number> {
    const expect = { lastSubjectSequence: after };
    return (await bounded(this.#stream.publish(LEASE, text, { expect, timeout: TERM / 2 }), TERM / 2)).seq;
  }

  /** Calls the listener when the stream may have grown. */
  onGrown(listener: () => void): void {
    this.#connection.subscribe(GROWN, { callback: listener });
  }

  /** Tells the other copies that this one is there. */
  present(name: string): void {
    this.#connection.publish(PRESENT, name);
  }

  onPresent(listener: (name: string) => void): void {
    this.#connection.subscribe(PRESENT, { callback: (_, message) => listener(message.string()) });
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}
