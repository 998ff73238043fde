// The signed-in user of this browser, as auth knows it.

import { announce } from '../shared/announce.ts';
import { backoffMs } from '../shared/backoff.ts';
import { read, request } from '../shared/http.ts';
import { createListeners } from '../shared/listeners.ts';
import { authorOf, fieldsOf } from '../shared/parse.ts';

/** `user` is null for nobody, and undefined until auth has answered. `isAway`: auth did not answer the last time. */
type Session = { user?: ReturnType<typeof authorOf> | null; isAway: boolean };

let session: Session = { isAway: false };
let asking: Promise<void> | undefined;
let again: ReturnType<typeof setTimeout> | undefined;
const changes = createListeners();

function set(next: Session) {
  session = next;
  changes.notify();
}

export const getSession = (): Session => session;

export const { subscribe } = changes;

/** Asks for the user, and retries until auth answers. */
export function refresh(attempt = 0): Promise<void> {
  clearTimeout(again);
  asking ??= ask(attempt).finally(() => {
    asking = undefined;
  });
  return asking;
}

async function ask(attempt: number) {
  const known = session;
  try {
    const { data } = await read({ url: '/me' });
    // A sign-out meanwhile is newer than this answer.
    if (session === known) set({ user: authorOf(fieldsOf(data).user) ?? null, isAway: false });
  } catch {
    set({ ...session, isAway: true });
    again = setTimeout(refresh, backoffMs(attempt), attempt + 1);
  }
}

/** Keeps the user up to date: another window may sign in or out. */
export function watch() {
  void refresh();
  const onReturn = () => void (document.visibilityState === 'visible' && refresh());
  window.addEventListener('focus', onReturn);
  document.addEventListener('visibilitychange', onReturn);
  return () => {
    clearTimeout(again);
    window.removeEventListener('focus', onReturn);
    document.removeEventListener('visibilitychange', onReturn);
  };
}

/** Resolves once a user is signed in, at once if so; never after it was aborted. */
export async function signedIn(signal: AbortSignal): Promise<void> {
  await refresh();
  await new Promise<void>((resolve) => {
    const check = () => session.user && resolve();
    signal.addEventListener('abort', subscribe(check));
    check();
  });
}

/** Ends the session, for all windows. */
export async function signOut() {
  try {
    await request({ method: 'POST', url: '/logout' });
    set({ user: null, isAway: false });
    announce('You are signed out.');
  } catch {
    announce('Signing out did not work. Try again.');
    void refresh();
  }
}
