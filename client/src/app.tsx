import { useEffect, useState } from 'react';
import { createAnnouncer, LiveRegion } from './components/announcer.tsx';
import { ConnectionStatus } from './components/connection-status.tsx';
import { PostForm } from './features/posts/post-form.tsx';
import { PostList } from './features/posts/post-list.tsx';
import { FeedContext, useFeedState } from './feed/feed-context.ts';
import { createFeedStore } from './feed/store.ts';
import './app.css';

/** The blog. `/` and `/system` both show it. */
export function App() {
  const [announcer] = useState(createAnnouncer);
  const [store] = useState(() => createFeedStore(sessionStorage, announcer.announce));
  useEffect(() => {
    store.start();
    return store.stop;
  }, [store]);

  return (
    <FeedContext value={store}>
      <a className="skip" href="#posts">
        Skip to the posts
      </a>
      <header className="top">
        <h1>
          <a href="/">Blog</a>
        </h1>
        <Connection />
      </header>
      <main>
        <section className="composer" aria-labelledby="composer">
          <h2 id="composer">Write a post</h2>
          <PostForm />
        </section>
        <PostList />
      </main>
      <LiveRegion announcer={announcer} />
    </FeedContext>
  );
}

function Connection() {
  const { connection, phase } = useFeedState();
  return phase === 'ready' ? <ConnectionStatus state={connection} /> : null;
}
