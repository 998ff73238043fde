import { More } from '../shared/more.tsx';
import { CommentItem, OwnComment } from './comment-item.tsx';
import { type Entry, hiddenCount } from './entry.ts';
import { useFeedStore } from './feed-context.ts';
import type { Own } from './own.ts';
import './comments.css';

type Props = { entry: Entry; own: readonly Own[] };

/**
 * A post's comments in the order written, more on demand. The reader's own ones that lie after unloaded ones come last.
 */
export function CommentList({ entry, own }: Props) {
  const { dismiss, loadComments } = useFeedStore();
  const ownTexts = new Map(own.map((item) => [item.id, item.texts.content]));
  const onTheirWay = own.filter((item) => !item.arrived);
  const hidden = hiddenCount(entry);
  const nothing = entry.comments.length + entry.apart.length + onTheirWay.length + hidden === 0;
  if (nothing) return <p className="note">No comments yet.</p>;
  return (
    <>
      <ol className="comments">
        {entry.comments.map((comment) => (
          <CommentItem key={comment.id} comment={comment} ownText={ownTexts.get(comment.id)} />
        ))}
      </ol>
      {hidden > 0 && (
        <More
          text={`Show more comments (${hidden.toLocaleString()})`}
          load={() => loadComments(entry.post.id)}
          items=".comments:first-of-type > li"
        />
      )}
      <ol className="comments">
        {entry.apart.map((comment) => (
          <CommentItem key={comment.id} comment={comment} ownText={ownTexts.get(comment.id)} />
        ))}
        {onTheirWay.map((item) => (
          <OwnComment key={item.id} own={item} onDismiss={dismiss} />
        ))}
      </ol>
    </>
  );
}
