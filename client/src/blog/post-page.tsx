import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { backoffMs } from '../shared/backoff.ts';
import { RequestError } from '../shared/http.ts';
import { Arrival } from '../shared/place.tsx';
import { createEntry } from './entry.ts';
import { useFeedState, useFeedStore } from './feed-context.ts';
import { KeepPlace } from './keep-place.tsx';
import { ownPost } from './own.ts';
import { PostItem } from './post-item.tsx';

const ASK_AGAIN_MS = { missing: 10_000, failed: 1_000 };

/** One post at its own address, with all its comments. One that has not arrived yet is shown as soon as it does. */
export function PostPage({ id }: { id: string }) {
  const { feed, own, arrivals } = useFeedState();
  const sent = own.find((item) => item.id === id);
  const entry = feed.entries.get(id) ?? (sent && createEntry(ownPost(sent)));
  const failure = useAsking(id, entry !== undefined);
  const title = entry ? (entry.post.title ?? 'Untitled') : 'Post';

  return (
    <section className="feed stack" data-whole aria-busy={!entry && !failure}>
      <p className="feed-head row">
        <Link href="/">All posts</Link>
      </p>
      {entry ? (
        <KeepPlace arrivals={arrivals}>
          <PostItem entry={entry} own={own.filter((item) => item.postId === id && item !== sent)} sent={sent} isWhole />
        </KeepPlace>
      ) : (
        <div className="state stack">
          <h2 id="post" tabIndex={-1}>
            {failure === 'missing' ? 'There is no such post' : 'Post'}
          </h2>
          <p role={failure && 'alert'}>{TEXTS[failure ?? 'none']}</p>
        </div>
      )}
      <Arrival heading="post" title={`${title} · Blog`} ready={entry !== undefined || failure !== undefined} />
    </section>
  );
}

const TEXTS = {
  none: 'Loading the post…',
  missing:
    'No post has this address: compare it with the one that you were given. A new post is shown here once it arrives.',
  failed: 'The post cannot be loaded at the moment. The page keeps trying.',
};

/** Asks for a post until it is known. */
function useAsking(id: string, isKnown: boolean) {
  const { loadComments } = useFeedStore();
  const [failure, setFailure] = useState<'missing' | 'failed'>();
  useEffect(() => {
    if (isKnown) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    async function ask(attempt: number) {
      try {
        await loadComments(id);
      } catch (error) {
        if (isOver) return;
        const why = error instanceof RequestError && error.status === 404 ? 'missing' : 'failed';
        setFailure(why);
        timer = setTimeout(ask, ASK_AGAIN_MS[why] + backoffMs(attempt), attempt + 1);
      }
    }
    void ask(0);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [id, isKnown, loadComments]);
  return failure;
}
