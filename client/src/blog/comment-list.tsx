import { useRef } from 'react';
import { useAction } from '../shared/use-action.ts';
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
  const { dismiss } = useFeedStore();
  const ownTexts = new Map(own.map((item) => [item.id, item.texts.content]));
  const onTheirWay = own.filter((item) => !item.arrived);
  const nothing = entry.comments.length + entry.apart.length + onTheirWay.length + hiddenCount(entry) === 0;
  if (nothing) return <p className="note">No comments yet.</p>;
  return (
    <>
      <ol className="comments">
        {entry.comments.map((comment) => (
          <CommentItem key={comment.id} comment={comment} ownText={ownTexts.get(comment.id)} />
        ))}
      </ol>
      <MoreComments entry={entry} />
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

function MoreComments({ entry }: { entry: Entry }) {
  const store = useFeedStore();
  const row = useRef<HTMLDivElement>(null);
  const more = useAction(async () => {
    const last = entry.comments.at(-1)?.id;
    const list = row.current?.previousElementSibling;
    await store.loadComments(entry.post.id);
    // The last page removes the button, so the focus moves to the first new comment.
    requestAnimationFrame(() => {
      const items = [...(list?.children ?? [])] as HTMLElement[];
      items[items.findIndex((item) => item.dataset.comment === last) + 1]?.focus();
    });
  });
  const count = hiddenCount(entry);
  if (count === 0) return null;
  return (
    <div className="more" ref={row}>
      <button type="button" onClick={more.run} aria-disabled={more.busy}>
        {more.busy ? 'Loading…' : `Show more comments (${count.toLocaleString()})`}
      </button>
      {more.failed && (
        <p className="error" role="alert">
          They could not be loaded. Try again.
        </p>
      )}
    </div>
  );
}
