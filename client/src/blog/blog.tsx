import { useEffect } from 'react';
import { useFeedStore } from './feed-context.ts';
import { PostForm } from './post-form.tsx';
import { PostList } from './post-list.tsx';

/** The blog, live while it is visible. */
export function Blog() {
  const store = useFeedStore();
  useEffect(() => {
    store.start();
    return store.stop;
  }, [store]);
  return (
    <div className="blog">
      <section className="composer card" aria-labelledby="composer">
        <h2 id="composer">Write a post</h2>
        <PostForm />
      </section>
      <PostList />
    </div>
  );
}
