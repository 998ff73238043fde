import { memo, useState } from 'react';
import { Link } from 'wouter';
import { journeyAddress } from '../shared/addresses.ts';
import { By } from '../shared/by.tsx';
import { TimeStamp } from '../shared/time.tsx';
import { ON_ITS_WAY, type Own } from './own.ts';
import type { Comment } from './types.ts';

/** `own`: the comment is the reader's own, and has no verdict yet. */
type Props = { comment: Comment; own: Own | undefined };

/** A comment by its status: approved text is shown to everyone, pending text only to the reader who wrote it. */
export const CommentItem = memo(function CommentItem({ comment, own }: Props) {
  const { id, status, createdAt, author } = comment;
  const [before] = useState(status);
  const text = status === 'approved' ? comment.content : status === 'pending' ? own?.texts.content : undefined;
  return (
    <li className="comment" data-status={status} data-news={status !== before} data-place tabIndex={-1}>
      {typeof text === 'string' && (
        <p className="text" dir="auto">
          {text}
        </p>
      )}
      {text === null && <p className="note">The text is not known yet.</p>}
      {status === 'rejected' && <p className="note">This comment was rejected.</p>}
      {status === 'pending' && <p className="note">{own && !own.arrived ? ON_ITS_WAY : 'Awaiting moderation'}</p>}
      <p className="meta row">
        <By author={author} /> <TimeStamp value={createdAt} /> <Link href={journeyAddress(id)}>Journey</Link>
      </p>
    </li>
  );
});
