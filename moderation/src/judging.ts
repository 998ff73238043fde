// The loop that judges noted comments, beside the deliveries: a slow verdict holds up no other event.
import { setTimeout as delay } from 'node:timers/promises';
import type { Share } from '@blog/common/core/checkpoint.ts';
import type { Database } from '@blog/common/core/database.ts';
import { parseEvent, type Verdict } from '@blog/common/core/events.ts';
import { Loop } from '@blog/common/core/loop.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import { announce, type Created, removeNote } from './moderation.ts';

/** A note that is older than this, and the time of a judgement, is judged by the first copy; in milliseconds. */
const PAUSE = 5_000;
/** The interval at which notes are looked at anyway, in milliseconds: they age, shares move, a judgement may have failed. */
const LOOK = 1_000;
/** The age of the oldest note from which this service is degraded, in seconds. */
const LONG = 60;

type Note = { seq: number; id: string; event: string };
type Options = {
  db: Database;
  bannedWords: string[];
  /** The time that a verdict takes, in milliseconds, and the maximum of comments that are judged at once. */
  time: number;
  concurrency: number;
  pause?: number;
  share: () => Share;
  onVerdict: (status: Verdict) => void;
};

/**
 * Judges notes, the oldest of this copy's share first. Those of other copies follow when they are old: a copy that is gone or
 * hangs delays its share and loses nothing. Two copies may judge the same comment; the log keeps the first verdict.
 */
export class Judging extends Loop {
  #options: Options;
  /** The judgements under way, by the note. */
  #judgements = new Map<number, Promise<void>>();
  #end = new AbortController();

  constructor(options: Options) {
    super();
    this.#options = options;
    options.db.onCommit(() => this.work.raise());
  }

  /** The number of notes, and the age of the oldest in seconds. */
  waiting() {
    const sql = `SELECT count(*) AS comments, max(0, coalesce(unixepoch('subsec') - min(notedAt), 0)) AS seconds FROM notes`;
    return this.#options.db.read((tx) => tx.get(sql) as { comments: number; seconds: number });
  }

  async degraded(): Promise<string[]> {
    const { comments, seconds } = await this.waiting();
    return seconds > LONG ? [`${comments} comments wait for a verdict, the first for ${Math.round(seconds)} s.`] : [];
  }

  protected async run(): Promise<void> {
    while (!this.stopped) {
      // The database's trouble is in `/readyz`.
      const notes = await this.#options.db.read((tx) => this.#next(tx)).catch(() => []);
      for (const note of notes) this.#judgements.set(note.seq, this.#judge(note));
      await this.work.wait(LOOK);
    }
    // Their notes stay: they are judged after the next start, or by another copy.
    this.#end.abort();
    await Promise.all(this.#judgements.values());
  }

  /** The notes to judge next, as many as may be judged at once. */
  #next(tx: Tx): Note[] {
    const { share, concurrency, time, pause = PAUSE } = this.#options;
    const { index, count } = share();
    const find = (where: string, ...values: number[]) =>
      tx
        .all<Note>(`SELECT seq, id, event FROM notes WHERE ${where} ORDER BY seq LIMIT ?`, ...values, concurrency)
        .filter(({ seq }) => !this.#judgements.has(seq));
    const own = find('number % ? = ?', count, index);
    // One copy after the other, so that they do not all take over at once.
    const age = ((pause + time) / 1_000) * (1 + index / 2);
    const notes = own.length > 0 ? own : find("notedAt < unixepoch('subsec') - ?", age);
    return notes.slice(0, concurrency - this.#judgements.size);
  }

  /** Judges a comment. The note goes with the verdict; none is made if one has come from the log meanwhile. */
  async #judge({ seq, id, event }: Note): Promise<void> {
    const { db, bannedWords, time, onVerdict } = this.#options;
    const { signal } = this.#end;
    try {
      await delay(time, undefined, { signal });
      const comment = parseEvent(JSON.parse(event), ['CommentCreated']) as Created;
      const status = await db.write((tx) => {
        removeNote(tx, id);
        return announce(tx, comment, bannedWords);
      });
      if (status) onVerdict(status);
    } catch {
      // The note is still there.
      await delay(LOOK, undefined, { signal }).catch(() => {});
    }
    this.#judgements.delete(seq);
    this.work.raise();
  }
}
