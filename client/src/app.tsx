import './app.css';
import { Activity, lazy, Suspense, useState, useSyncExternalStore } from 'react';
import { Link } from 'wouter';
import { usePathname } from 'wouter/use-browser-location';
import { Blog } from './blog/blog.tsx';
import { FeedContext, useFeedState } from './blog/feed-context.ts';
import { createFeedStore } from './blog/store.ts';
import { Boundary } from './shared/boundary.tsx';
import { Arrival } from './shared/place.tsx';
import { hasSignIn } from './shared/sign-in.ts';

/** Loaded when it is first opened. */
const System = lazy(() => import('./system/system.tsx').then(({ System }) => ({ default: System })));

const Account = lazy(() => import('./sign-in/account.tsx').then(({ Account }) => ({ default: Account })));

/** The whole page: `/` is the blog, `/system` shows how the parts work, with the blog beside it where there is room. */
export function App() {
  const [feed] = useState(createFeedStore);
  const path = usePathname();
  const onSystem = /^\/system\/*$/.test(path);
  const isPost = path.startsWith('/p/');
  const wide = useSyncExternalStore(watchWidth, isWide);
  const onBlog = !onSystem || wide;
  const [isSystemOpened, setSystemOpened] = useState(onSystem);
  if (onSystem && !isSystemOpened) setSystemOpened(true);

  return (
    <FeedContext value={feed}>
      <a className="skip" href={onSystem ? '#system' : isPost ? '#post' : '#posts'}>
        Skip to the content
      </a>
      <div className="page" data-beside={onSystem && onBlog}>
        <header className="top row">
          <h1>
            <Link href="/">Blog</Link>
          </h1>
          <nav aria-label="Pages" className="row">
            <Link href="/" aria-current={path === '/' ? 'page' : undefined}>
              Posts
            </Link>
            <Link href="/system" aria-current={onSystem ? 'page' : undefined}>
              System
            </Link>
          </nav>
          {hasSignIn() && (
            <Boundary what="Sign-in">
              <Suspense>
                <Account />
              </Suspense>
            </Boundary>
          )}
          {onBlog && <Connection />}
        </header>
        <main>
          {onBlog && (
            <Boundary what="The blog">
              <Blog />
            </Boundary>
          )}
          {/* Hidden, it keeps what was loaded, and its effects have ended. */}
          {isSystemOpened && (
            <Activity mode={onSystem ? 'visible' : 'hidden'}>
              <Boundary what="The System page">
                <Suspense fallback={<p className="loading">Loading the System page…</p>}>
                  <System />
                  <Arrival heading="system" title="System · Blog" />
                </Suspense>
              </Boundary>
            </Activity>
          )}
        </main>
      </div>
      <div id="announcements" role="status" aria-live="polite" aria-atomic="false" className="visually-hidden" />
    </FeedContext>
  );
}

const WIDE = '(width >= 75rem)';
const isWide = () => window.matchMedia(WIDE).matches;

function watchWidth(listener: () => void) {
  const media = window.matchMedia(WIDE);
  media.addEventListener('change', listener);
  return () => media.removeEventListener('change', listener);
}

const CONNECTION = { connecting: 'Connecting…', live: 'Live', lost: 'Connection lost, reconnecting…' };

/** Shows if the page is live. Not a live region of its own: changes are announced. */
function Connection() {
  const { connection, phase } = useFeedState();
  if (phase !== 'ready') return null;
  return (
    <p className="connection row" data-state={connection}>
      {CONNECTION[connection]}
    </p>
  );
}
