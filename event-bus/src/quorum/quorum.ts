// The log on a quorum: each commit that adds to the log is in a stream of several machines before it is committed here.
import type { Database } from '@blog/common/core/database.ts';
import { Failures, Loop } from '@blog/common/core/loop.ts';
import type { Log } from '@blog/common/core/observer.ts';
import { Problem, unavailable } from '@blog/common/core/problem.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import { newest } from '../log.ts';
import type { Tail } from '../tail.ts';
import { noteAll, trackChanges } from './control.ts';
import { Diverged, join, nextMessage, placeOf, setPlace } from './joining.ts';
import { openStream, Unusable } from './opening.ts';
import type { CopySettings } from './settings.ts';
import type { LogStream } from './stream.ts';

/** The pause between two looks at the stream, in milliseconds: hints come earlier. */
const LOOK = 1_000;
/** A stream that ends before the place of this copy is not this log's. A new leader of the stream may show less for a moment. */
const SHORT_FOR = 5_000;

type Options = {
  db: Database;
  log: Log;
  tail: Tail;
  settings: CopySettings;
  /** Takes the duration of each commit in the quorum, in seconds. */
  measured: (seconds: number) => void;
};

/**
 * Seals what is written here, and follows the stream. The stream takes a message only behind the last one that this copy has: so
 * there is one order, whichever copy writes, and also if two of them believe to lead (fencing).
 */
export class Quorum extends Loop {
  stream: LogStream | undefined;
  /** True once all of the stream is here, until a message of this copy may be there without its ack. */
  isCaughtUp = false;
  /** Log and stream are not of one history: the reason, for a person, who has to decide. */
  divergence: string | undefined;
  #options: Options;
  #isMoving = false;
  #shortSince: number | undefined;
  #failures: Failures;

  constructor(options: Options) {
    super();
    this.#options = options;
    const { db, log } = options;
    const messages = { begin: 'cannot follow the stream', end: 'following the stream again' };
    this.#failures = new Failures({ log, ...messages, longest: 500 });
    db.sealWith({ prepare: trackChanges, seal: (tx) => this.#seal(tx) });
  }

  #seal(tx: Tx): Promise<void> | undefined {
    const message = nextMessage(tx);
    if (message?.more && !this.#isMoving)
      throw new Problem(413, 'The events are too large for one message of the log.');
    return message && this.#publish(tx, message);
  }

  /** One message; more of them only for a log that moves, and for much control state. */
  async #publish(tx: Tx, first: ReturnType<typeof nextMessage>): Promise<void> {
    const { stream } = this;
    if (!stream || !this.isCaughtUp) throw unavailable('This copy of the bus cannot add to the log at the moment.');
    const began = performance.now();
    try {
      for (let message = first; message; message = nextMessage(tx)) {
        const place = placeOf(tx);
        const seq = await stream.append(place.seq, message);
        setPlace(tx, { seq, position: place.position + message.records.length });
      }
    } catch (error) {
      // It may be in the stream, or another copy's message is: nothing more is added before that is known.
      this.isCaughtUp = false;
      this.work.raise();
      throw unavailable(`The quorum did not take it: ${(error as Error).message}.`);
    }
    this.#options.measured((performance.now() - began) / 1_000);
  }

  protected async run(): Promise<void> {
    while (!this.stopped) {
      try {
        this.stream ??= await this.#open();
        if (!this.divergence) await this.#follow(this.stream);
        this.#failures.end();
        await this.work.wait(LOOK);
      } catch (error) {
        if (error instanceof Unusable) this.#refuse(error);
        if (error instanceof Diverged) this.#diverge(error);
        await this.interruption.wait(this.#failures.add((error as Error).message));
      }
    }
  }

  async #open(): Promise<LogStream> {
    const { db, settings, log } = this.#options;
    const stream = await openStream(db, settings, log);
    stream.onGrown(() => this.work.raise());
    log.info({ servers: settings.servers.length }, 'following the stream');
    return stream;
  }

  /** Ends the process as a wrong setting does: waiting changes nothing. */
  #refuse({ message }: Unusable): never {
    process.stderr.write(`${message}\n`);
    process.exit(78);
  }

  /** Stays, and says so: a process that ends would tell less. Nothing is written here, delivered or led by this copy any more. */
  #diverge({ message }: Diverged): void {
    this.isCaughtUp = false;
    this.divergence = `The log of this copy is diverged from the stream of the quorum: ${message}.`;
    this.#options.log.fatal({ reason: message }, 'the log is diverged from the stream');
  }

  /** Takes what the stream has, to its end; then adds what only the log here has: it ran without a quorum. */
  async #follow(stream: LogStream): Promise<void> {
    const { db, tail } = this.#options;
    for (;;) {
      const { seq } = await db.read(placeOf);
      // Begins with the last one that is here, to know that the stream is still the same.
      const messages = await stream.read(Math.max(1, seq));
      if (seq > 0 && messages[0]?.seq !== seq) await this.#assertLonger(stream, seq);
      this.#shortSince = undefined;
      const entries = await db.writeSealed((tx) => join(tx, messages));
      if (entries.length > 0) tail.grow(entries);
      if ((messages.at(-1)?.seq ?? 0) <= seq) break;
    }
    this.isCaughtUp = true;
    await this.#move();
  }

  /** The last message that is here cannot be read. */
  async #assertLonger(stream: LogStream, seq: number): Promise<never> {
    const { last_seq: last } = (await stream.info()).state;
    if (last >= seq) throw new Error(`message ${seq} of the stream cannot be read`);
    this.isCaughtUp = false;
    this.#shortSince ??= performance.now();
    const message = `the stream ends at message ${last}, and the log here has ${seq} of them`;
    throw performance.now() - this.#shortSince > SHORT_FOR ? new Diverged(message) : new Error(message);
  }

  /** Publishes what the stream does not have: a log that moves to the quorum, with all of its control state. */
  async #move(): Promise<void> {
    const { db, log } = this.#options;
    const ahead = await db.read((tx) => newest(tx).position - placeOf(tx).position);
    if (ahead === 0) return;
    log.info({ events: ahead }, 'moving the log to the quorum');
    this.#isMoving = true;
    try {
      await db.write(noteAll);
    } finally {
      this.#isMoving = false;
    }
  }

  override async stop(): Promise<void> {
    await super.stop();
    await this.stream?.close();
  }

  async degraded(): Promise<string[]> {
    const { count, reason } = this.#failures;
    if (this.divergence) return [this.divergence];
    if (!this.stream) return [`The quorum is not there: ${reason ?? 'connecting'}.`];
    return count > 0 ? [`The stream of the quorum cannot be followed: ${reason}.`] : [];
  }
}
