// The rules of moderation: a verdict on a comment is made once, and the event that announces it is in the same transaction.
import { createEvent, type Handlers, recordOf, type Verdict } from '@blog/common/core/events.ts';
import { enqueue } from '@blog/common/core/outbox.ts';

const SOURCE = 'moderation';

/** Letters that only look different (ｏｒａｎｇｅ, ORANGE) become the same. */
export const normalize = (text: string): string => text.normalize('NFKC').toLowerCase();

/** The verdict on a text: a plain search for each banned word. `bannedWords` are normalized. */
export function judge(content: string, bannedWords: string[]): Verdict {
  const text = normalize(content);
  return bannedWords.some((word) => text.includes(word)) ? 'rejected' : 'approved';
}

const INSERT = 'INSERT OR IGNORE INTO verdicts (id, status, event) VALUES (?, ?, ?)';

/** The handlers return the verdict if it was made now. */
export const createHandlers = (bannedWords: string[]): Handlers<Verdict | undefined> => ({
  CommentCreated(tx, { data: { id, content = '' }, given, traceparent }) {
    const made = tx.get<{ event: string }>('SELECT event FROM verdicts WHERE id = ?', id);
    if (made) {
      enqueue(tx, made.event);
      return;
    }
    const status = judge(content, bannedWords);
    // A classic service finds its comment by what it called it: a number stays one.
    const verdict = { id: given.id as string | number, postId: given.postId, content: given.content, status };
    const event = JSON.stringify(createEvent(SOURCE, 'CommentModerated', verdict, traceparent));
    tx.run(INSERT, id, status, event);
    enqueue(tx, event);
    return status;
  },
  /** A lost or older database gets back from its own event the verdict that it does not have. */
  CommentModerated(tx, event) {
    const { id, status } = event.data;
    if (status) tx.run(INSERT, id, status, recordOf(SOURCE, event));
  },
});
