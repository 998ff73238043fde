import { useEffect } from 'react';
import { usePathname } from 'wouter/use-browser-location';
import { postIn } from '../shared/addresses.ts';
import { useFeedStore } from './feed-context.ts';
import { PostList } from './post-list.tsx';
import { PostPage } from './post-page.tsx';
import { TextForm } from './text-form.tsx';
import './blog.css';

/** The blog, live while it is visible: the list of posts, or one post at its own address. */
export function Blog() {
  const store = useFeedStore();
  useEffect(() => {
    store.start();
    return store.stop;
  }, [store]);
  const id = postIn(usePathname());
  return (
    <div className="blog stack">
      <section className="composer card stack" aria-labelledby="composer">
        <h2 id="composer">Write a post</h2>
        <TextForm form="post" button="Post" primary />
      </section>
      {id === undefined ? <PostList /> : <PostPage key={id} id={id} />}
    </div>
  );
}
