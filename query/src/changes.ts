import type { Tx } from '@blog/common/core/sqlite.ts';
import { message, reset, type Step } from '@blog/common/http/streams.ts';
import { type Comment, changesAfter, findPost, type Post, streamPosition } from './read-model.ts';

/** The maximum of changed comments that are read, and sent, at a time, and of their text, in characters. */
const WINDOW = 100;
const WINDOW_TEXT = 256 * 1024;

/** A reader that missed more changes than this reads the list again. */
const MISSED = 5_000;

/** Where a stream begins: right behind the position that the reader names, or now; with a reset if it cannot. */
export function begin(tx: Tx, position: string | undefined): Step {
  const now = streamPosition(tx);
  const head = parsePosition(now);
  if (position === undefined) return { text: '', upto: head.revision };
  const asked = parsePosition(position);
  const missed = head.revision - asked.revision;
  if (asked.model === head.model && missed >= 0 && missed <= MISSED) return { text: '', upto: asked.revision };
  return { text: reset(now), upto: head.revision };
}

function parsePosition(position: string): { model: string; revision: number } {
  const [, model = '', revision = ''] = /^(.+)-(\d{1,15})$/.exec(position) ?? [];
  return { model, revision: Number(revision) };
}

/**
 * What readers of the stream get. Every changed row has a revision of its own, and the stream follows the revisions; a
 * row that changes again moves to the end, so a reader that stops anywhere and goes on misses no row's last state.
 */
export function readStep(tx: Tx, after: number): Step {
  const now = streamPosition(tx);
  const { model, revision: head } = parsePosition(now);
  if (after >= head) return { text: '', upto: after };
  const { posts, comments } = changesAfter(tx, after, WINDOW, WINDOW_TEXT);
  // A full list ends somewhere, and what the other one has behind that place has to wait for the next step.
  const ends = [posts, comments].map(({ rows, more }) => (more ? (rows.at(-1)?.revision ?? head) : head));
  const revision = Math.min(...ends);

  const changed = new Map<string, { post: Post; comments: Comment[]; more?: true }>();
  const entry = (id: string) => {
    if (!changed.has(id)) {
      const post = findPost(tx, id);
      // A comment whose post is not here yet is not shown either.
      if (post) changed.set(id, { post, comments: [] });
    }
    return changed.get(id);
  };
  for (const post of posts.rows) if (post.revision <= revision) entry(post.id);
  for (const { revision: changedAt, postTitle: _, ...comment } of comments.rows) {
    if (changedAt > revision) break;
    const shown = entry(comment.postId);
    shown?.comments.push(comment);
    if (shown && changedAt === revision && revision < head) shown.more = true;
  }
  // Nothing of these is shown, and the rest is for the next step: a comment line has the reader come back for it.
  if (changed.size === 0 && revision < head) return { text: ':\n\n', upto: revision };
  // Only the last message has the id: a reader that got some of them and went away gets all of them again.
  const texts = [...changed.values()].map((data, i) =>
    message(JSON.stringify(data), i === changed.size - 1 ? `${model}-${revision}` : undefined),
  );
  return { text: texts.join(''), upto: revision };
}
