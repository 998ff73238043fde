import { createEvent, type KnownEvent, type Verdict } from '@blog/common/core/events.ts';
import { enqueue } from '@blog/common/core/outbox.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';

const SOURCE = 'moderation';

/** Letters that only look different (ｏｒａｎｇｅ, ORANGE) become the same. */
export const normalize = (text: string): string => text.normalize('NFKC').toLowerCase();

/** The verdict on a text: a plain search for each banned word. `bannedWords` are normalized. */
export function judge(content: string, bannedWords: string[]): Verdict {
  const text = normalize(content);
  return bannedWords.some((word) => text.includes(word)) ? 'rejected' : 'approved';
}

const INSERT = 'INSERT OR IGNORE INTO verdicts (id, status, event) VALUES (?, ?, ?)';

/**
 * Applies an event of the log: the verdict, the event that announces it and the checkpoint are one transaction. Returns the
 * verdict if it was made now.
 */
export const createHandler = (bannedWords: string[]) =>
  function handle(tx: Tx, event: KnownEvent): Verdict | undefined {
    switch (event.type) {
      case 'CommentCreated': {
        const { id, content } = event.data;
        const made = tx.get<{ event: string }>('SELECT event FROM verdicts WHERE id = ?', id);
        if (made) {
          enqueue(tx, made.event);
          return;
        }
        const status = judge(content ?? '', bannedWords);
        // A classic service finds its comment by what it called it: a number stays one.
        const { postId, content: given } = event.given;
        const verdict = { id: event.given.id as string | number, postId, content: given, status };
        const text = JSON.stringify(createEvent(SOURCE, 'CommentModerated', verdict, event.traceparent));
        tx.run(INSERT, id, status, text);
        enqueue(tx, text);
        return status;
      }
      case 'CommentModerated': {
        // What a lost or older database does not have, it gets back from its own event.
        const { id, status } = event.data;
        if (!status) return;
        const published = event.published ?? createEvent(SOURCE, event.type, event.data, event.traceparent);
        tx.run(INSERT, id, status, JSON.stringify(published));
      }
    }
  };
