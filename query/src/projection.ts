import type { Tx } from '@blog/common/database.ts';
import type { KnownEvent, Verdict } from '@blog/common/events.ts';

type CommentData = { id: string; postId: string; content?: string; createdAt?: string; status?: Verdict };

/**
 * Builds the read model: one event → its tables. Upserts by id, fills in what was not known, never blanks what was, and
 * never moves a status back; an event applied again changes nothing, not even a revision.
 */
export async function project(tx: Tx, event: KnownEvent): Promise<void> {
  switch (event.type) {
    case 'PostCreated': {
      const { id, title = null, createdAt = event.time ?? null } = event.data;
      return upsertPost(tx, id, title, createdAt);
    }
    case 'CommentCreated':
      return upsertComment(tx, { ...event.data, createdAt: event.data.createdAt ?? event.time });
    case 'CommentUpdated':
      return upsertComment(tx, event.data);
  }
}

async function upsertPost(tx: Tx, id: string, title: string | null, createdAt: string | null): Promise<void> {
  const post = await tx.get<{ title: string | null; createdAt: string | null }>(
    'SELECT title, created_at AS createdAt FROM posts WHERE id = ?',
    id,
  );
  if (post) {
    if ((post.title ?? title) === post.title && (post.createdAt ?? createdAt) === post.createdAt) return;
    const fill =
      'UPDATE posts SET title = coalesce(title, ?), created_at = coalesce(created_at, ?), revision = ? WHERE id = ?';
    await tx.run(fill, title, createdAt, await nextRevision(tx), id);
    return;
  }
  // Comments that were here first are shown from now on, so they count as changed.
  const early = await tx.all<{ seq: number }>('SELECT seq FROM comments WHERE post_id = ? ORDER BY seq', id);
  await tx.run(
    'INSERT INTO posts (id, title, created_at, comment_count, revision) VALUES (?, ?, ?, ?, ?)',
    ...[id, title, createdAt, early.length, await nextRevision(tx)],
  );
  for (const { seq } of early)
    await tx.run('UPDATE comments SET revision = ? WHERE seq = ?', await nextRevision(tx), seq);
}

async function upsertComment(tx: Tx, data: CommentData): Promise<void> {
  const { id, postId, content = null, createdAt = null, status = 'pending' } = data;
  const comment = await tx.get<{ content: string | null; status: string; createdAt: string | null }>(
    'SELECT content, status, created_at AS createdAt FROM comments WHERE id = ?',
    id,
  );
  if (!comment) {
    await tx.run(
      'INSERT INTO comments (id, post_id, content, status, created_at, revision) VALUES (?, ?, ?, ?, ?, ?)',
      ...[id, postId, content, status, createdAt, await nextRevision(tx)],
    );
    await tx.run('UPDATE posts SET comment_count = comment_count + 1 WHERE id = ?', postId);
    return;
  }
  const known = {
    content: comment.content ?? content,
    status: comment.status === 'pending' ? status : comment.status,
    createdAt: comment.createdAt ?? createdAt,
  };
  if (known.content === comment.content && known.status === comment.status && known.createdAt === comment.createdAt)
    return;
  await tx.run(
    'UPDATE comments SET content = ?, status = ?, created_at = ?, revision = ? WHERE id = ?',
    ...[known.content, known.status, known.createdAt, await nextRevision(tx), id],
  );
}

async function nextRevision(tx: Tx): Promise<number> {
  const model = await tx.get<{ revision: number }>('UPDATE model SET revision = revision + 1 RETURNING revision');
  return model?.revision ?? 0;
}
