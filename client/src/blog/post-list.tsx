import { useMemo } from 'react';
import { Link } from 'wouter';
import { usePathname } from 'wouter/use-browser-location';
import { More } from '../shared/more.tsx';
import { Arrival } from '../shared/place.tsx';
import { createEntry } from './entry.ts';
import type { Feed } from './feed.ts';
import { useFeedState, useFeedStore } from './feed-context.ts';
import { KeepPlace } from './keep-place.tsx';
import { type Own, ownPost } from './own.ts';
import { PostItem } from './post-item.tsx';

const NONE: readonly Own[] = [];

/**
 * The list of posts, newest first: the reader's own unconfirmed ones on top, newer ones of others and older ones on
 * demand.
 */
export function PostList() {
  const { feed, own, phase, arrivals } = useFeedState();
  const store = useFeedStore();
  const comments = useMemo(() => Map.groupBy(own.filter(isComment), (item) => item.postId), [own]);
  const sent = own.filter((item) => !isComment(item)).reverse();
  const entries = feed.shown.flatMap((id) => feed.entries.get(id) ?? []);
  // One list for both, so that React keeps an own post's form, draft and focus when the post arrives.
  const items = [
    ...sent.map((item) => ({ entry: createEntry(ownPost(item)), item })),
    ...entries.map((entry) => ({ entry, item: undefined })),
  ];

  return (
    <section aria-labelledby="posts" className="feed stack" aria-busy={phase === 'loading'}>
      <div className="feed-head row">
        <h2 id="posts" tabIndex={-1}>
          Posts
        </h2>
        {(feed.waiting.length > 0 || feed.manyWaiting) && (
          <More text={waitingText(feed)} load={store.showWaiting} items=".posts h3" primary />
        )}
      </div>
      <KeepPlace arrivals={arrivals}>
        <ol className="posts stack">
          {items.map(({ entry, item }) => (
            <li key={entry.post.id}>
              <PostItem entry={entry} own={comments.get(entry.post.id) ?? NONE} sent={item} />
            </li>
          ))}
        </ol>
      </KeepPlace>
      {phase === 'loading' && <p className="state stack">Loading the posts…</p>}
      {phase === 'failed' && (
        <div className="state stack" role="alert">
          <p>The posts cannot be loaded at the moment. The page keeps trying.</p>
          <button type="button" onClick={store.retry}>
            Try now
          </button>
        </div>
      )}
      {phase === 'ready' && items.length === 0 && (
        <div className="state stack">
          <p>No posts yet.</p>
          <p>
            Write the first one, and then a comment on it: the comment waits for moderation, and gets its verdict while
            you watch. The <Link href="/system">System page</Link> shows what happens behind it.
          </p>
        </div>
      )}
      {feed.hasOlder && <More text="Show older posts" load={store.loadOlder} items=".post h3" />}
      {usePathname() === '/' && <Arrival heading="posts" title="Blog" ready={phase !== 'loading'} />}
    </section>
  );
}

const isComment = (item: Own) => item.kind === 'comment';

function waitingText({ waiting, manyWaiting }: Feed): string {
  if (manyWaiting) return waiting.length === 0 ? 'Newer posts' : `More than ${waiting.length} new posts`;
  return waiting.length === 1 ? '1 new post' : `${waiting.length} new posts`;
}
