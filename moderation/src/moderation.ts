// The rules of moderation: a verdict on a comment is made once, and the event that announces it is in the same transaction.
import { hash } from 'node:crypto';
import type { Share } from '@blog/common/core/checkpoint.ts';
import {
  createEvent,
  type Handlers,
  isOwn,
  type KnownEvent,
  recordOf,
  type Verdict,
} from '@blog/common/core/events.ts';
import { enqueue } from '@blog/common/core/outbox.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';

const SOURCE = 'moderation';

export type Created = Extract<KnownEvent, { type: 'CommentCreated' }>;

/** Letters that only look different (ｏｒａｎｇｅ, ORANGE) become the same. */
export const normalize = (text: string): string => text.normalize('NFKC').toLowerCase();

/** The verdict on a text: a plain search for each banned word. `bannedWords` are normalized. */
export function judge(content: string, bannedWords: string[]): Verdict {
  const text = normalize(content);
  return bannedWords.some((word) => text.includes(word)) ? 'rejected' : 'approved';
}

/** The number that decides which copy judges a comment first: the one whose index is its remainder by the count of copies. */
const numberOf = (id: string): number => hash('sha256', id, 'buffer').readUInt32BE();

/** True for a comment in this share. */
export const isIn = ({ index, count }: Share, id: string): boolean => count === 1 || numberOf(id) % count === index;

/** Stores the verdict on a comment, and puts the event that announces it into the outbox, unless there is a verdict already. */
export function announce(tx: Tx, { data, given, traceparent }: Created, bannedWords: string[]): Verdict | undefined {
  const status = judge(data.content ?? '', bannedWords);
  // A classic service finds its comment by what it called it: a number stays one.
  const verdict = { id: given.id as string | number, postId: given.postId, content: given.content, status };
  const event = JSON.stringify(createEvent(SOURCE, 'CommentModerated', verdict, traceparent));
  if (tx.run(INSERT, data.id, status, event).changes === 0) return;
  enqueue(tx, event);
  return status;
}

const INSERT = 'INSERT OR IGNORE INTO verdicts (id, status, event) VALUES (?, ?, ?)';

/** Notes a comment, to be judged later. */
function note(tx: Tx, { type, data: { id }, given: data, traceparent }: Created): void {
  const sql = 'INSERT OR IGNORE INTO notes (id, number, event) VALUES (?, ?, ?)';
  tx.run(sql, id, numberOf(id), JSON.stringify({ type, data, traceparent }));
}

export const removeNote = (tx: Tx, id: string) => tx.run('DELETE FROM notes WHERE id = ?', id);

/** The log has one verdict of this service on a comment. It stands, also where this copy has made another one. */
const TAKE_OVER = `INSERT INTO verdicts (id, status, event) VALUES (?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET status = excluded.status, event = excluded.event
  WHERE status <> excluded.status`;

/** The verdict that was made with an event, if any. `isNow`: true for a comment that is judged in the transaction of its delivery. */
export const createHandlers = (
  bannedWords: string[],
  isNow: (id: string) => boolean,
): Handlers<Verdict | undefined> => ({
  CommentCreated(tx, event) {
    const { id } = event.data;
    const made = tx.get<{ event: string }>('SELECT event FROM verdicts WHERE id = ?', id);
    if (made) enqueue(tx, made.event);
    else if (isNow(id)) return announce(tx, event, bannedWords);
    else note(tx, event);
  },
  CommentModerated(tx, event) {
    const { id, status } = event.data;
    if (!status) return;
    tx.run(isOwn(SOURCE, event) ? TAKE_OVER : INSERT, id, status, recordOf(SOURCE, event));
    removeNote(tx, id);
  },
});
