// The stream of the read model's changes: where a reader begins, and each step from there.
import { firstOf } from '@blog/common/core/rows.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import { message, reset, type Step } from '@blog/common/http/streams.ts';
import { type Comment, changesAfter, type Post, streamPosition } from './read-model.ts';

/** The maximum of changes that are read, and sent, at a time, and of their text, in characters. */
const WINDOW = 100;
const WINDOW_TEXT = 256 * 1024;

/** A reader that missed more changes than this reads the list again. */
const MISSED = 5_000;

/** True if this copy has not applied yet what the reader has seen at another one. */
export function isBehind(tx: Tx, position: string): boolean {
  const [head, asked] = [parsePosition(streamPosition(tx)), parsePosition(position)];
  return asked.model === head.model && asked.revision > head.revision;
}

/** Begins a stream right behind the position that the reader names, or now; with a reset if it cannot. */
export function begin(tx: Tx, position: string | undefined): Step {
  const now = streamPosition(tx);
  const head = parsePosition(now);
  const asked = parsePosition(position ?? now);
  const missed = head.revision - asked.revision;
  if (asked.model === head.model && missed >= 0 && missed <= MISSED) return { text: '', upto: asked.revision };
  return { text: reset(now), upto: head.revision };
}

function parsePosition(position: string): { model: string; revision: number } {
  const [, model = '', revision = ''] = /^(.+)-(\d{1,15})$/.exec(position) ?? [];
  return { model, revision: Number(revision) };
}

/**
 * The messages for readers of the stream. Every changed row has a revision of its own, and the stream follows the revisions; a
 * row that changes again moves to the end, so a reader that stops anywhere and goes on misses no row's last state.
 */
export function readStep(tx: Tx, after: number): Step {
  const { model, revision: head } = parsePosition(streamPosition(tx));
  if (after >= head) return { text: '', upto: after };
  const { rows, more } = firstOf(changesAfter(tx, after), WINDOW, WINDOW_TEXT);
  const last = rows.at(-1);
  const upto = more && last ? last.revision : head;

  const changed = new Map<string, { post: Post; comments: Comment[]; more?: true }>();
  for (const { post, comment } of rows) {
    // A comment whose post is not here yet is not shown either.
    if (!post) continue;
    const shown = changed.get(post.id) ?? { post, comments: [] };
    changed.set(post.id, shown);
    if (comment) shown.comments.push(comment);
    // The reader shows that more comments of this post follow.
    if (comment && comment === last?.comment && more) shown.more = true;
  }
  // No row of this step is shown, and more follow: an empty line of the stream (an SSE comment) goes on to the next step.
  if (changed.size === 0 && more) return { text: ':\n\n', upto };
  // Only the last message has the id: a reader that got some of them and went away gets all of them again.
  const texts = [...changed.values()].map((data, i) =>
    message(JSON.stringify(data), i === changed.size - 1 ? `${model}-${upto}` : undefined),
  );
  return { text: texts.join(''), upto };
}
