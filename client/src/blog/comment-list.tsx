import { More } from '../shared/more.tsx';
import { CommentItem } from './comment-item.tsx';
import { type Entry, hiddenCount } from './entry.ts';
import { useFeedStore } from './feed-context.ts';
import type { Own } from './own.ts';
import type { Comment } from './types.ts';

/** The number of comments that the list of posts shows of each. */
export const NEWEST = 3;

/** `own`: the reader's own comments without a verdict. `isWhole`: all comments are shown, not only the newest. */
type Props = { entry: Entry; own: readonly Own[]; isWhole: boolean };

/**
 * A post's comments in the order written, more on demand. The reader's own ones that lie after unloaded ones come last.
 */
export function CommentList({ entry, own, isWhole }: Props) {
  const { loadComments } = useFeedStore();
  const { post, comments, apart } = entry;
  const owns = new Map(own.map((item) => [item.id, item]));
  const toItem = (comment: Comment) => <CommentItem key={comment.id} comment={comment} own={owns.get(comment.id)} />;
  const sent = own.filter(({ arrived }) => !arrived).map(asComment);
  const hidden = hiddenCount(entry);
  const text = `Show more comments (${hidden.toLocaleString()})`;
  const row = (
    <li key="more">
      <More text={text} load={() => loadComments(post.id)} items=".comment" />
    </li>
  );
  const more = hidden > 0 ? [row] : [];
  // One array, so that React keeps an item when it moves.
  const known = isWhole
    ? [...comments.map(toItem), ...more, ...apart.map(toItem)]
    : [...comments, ...apart].slice(-NEWEST).map(toItem);
  const items = [...known, ...sent.map(toItem)];
  return items.length > 0 && <ol className="comments stack">{items}</ol>;
}

const asComment = ({ id, postId, createdAt, author }: Own): Comment => ({
  ...{ id, postId, createdAt, author, content: null, status: 'pending', seq: Number.MAX_SAFE_INTEGER },
});
