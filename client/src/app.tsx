import { useEffect, useRef, useState } from 'react';
import { Blog } from './blog/blog.tsx';
import { ConnectionStatus } from './blog/connection-status.tsx';
import { FeedContext, useFeedState } from './blog/feed-context.ts';
import { createFeedStore } from './blog/store.ts';
import { createAnnouncer, LiveRegion } from './shared/announcer.tsx';
import { Boundary } from './shared/boundary.tsx';
import { Link, useLocation, useMedia } from './shared/navigation.tsx';
import { System } from './system/system.tsx';
import './app.css';

/** The whole page: `/` is the blog, `/system` shows how the parts work, with the blog beside it where there is room. */
export function App() {
  const [announcer] = useState(createAnnouncer);
  const [feed] = useState(() => createFeedStore(announcer.announce));
  const onSystem = useLocation().pathname === '/system';
  const wide = useMedia('(width >= 75rem)');
  const onBlog = !onSystem || wide;
  useArrival(onSystem ? 'system' : 'posts', onSystem ? 'System · Blog' : 'Blog');

  return (
    <FeedContext value={feed}>
      {onBlog && (
        <a className="skip" href="#posts">
          Skip to the posts
        </a>
      )}
      {onSystem && (
        <a className="skip" href="#system">
          Skip to the system
        </a>
      )}
      <div className="page" data-beside={onSystem && onBlog}>
        <header className="top">
          <h1>
            <Link href="/">Blog</Link>
          </h1>
          <nav aria-label="Pages">
            <Link href="/" aria-current={onSystem ? undefined : 'page'}>
              Posts
            </Link>
            <Link href="/system" aria-current={onSystem ? 'page' : undefined}>
              System
            </Link>
          </nav>
          {onBlog && <Connection />}
        </header>
        <main>
          {onBlog && (
            <Boundary what="The blog">
              <Blog />
            </Boundary>
          )}
          {onSystem && (
            <Boundary what="The system">
              <System announce={announcer.announce} />
            </Boundary>
          )}
        </main>
      </div>
      <LiveRegion announcer={announcer} />
    </FeedContext>
  );
}

function Connection() {
  const { connection, phase } = useFeedState();
  return phase === 'ready' ? <ConnectionStatus state={connection} /> : null;
}

/**
 * After a link within the page was followed, moves focus to the new heading and announces it. Loading the page moves
 * nothing.
 */
function useArrival(heading: string, title: string) {
  const known = useRef(heading);
  useEffect(() => {
    document.title = title;
    if (known.current === heading) return;
    known.current = heading;
    document.getElementById(heading)?.focus({ preventScroll: true });
    window.scrollTo({ top: 0, behavior: 'instant' });
  }, [heading, title]);
}
