import { useEffect, useState, useSyncExternalStore } from 'react';
import { useSearch } from 'wouter/use-browser-location';
import { signInAddress } from '../shared/sign-in.ts';
import { getSession, signOut, subscribe, watch } from './session.ts';

/** The user in the head of the page: a link to sign in, or the name and a button to sign out. */
export function Account() {
  const { user, isAway } = useSyncExternalStore(subscribe, getSession);
  const [isEnding, setEnding] = useState(false);
  useEffect(watch, []);
  useSearch(); // the link leads back to the address of now
  async function onSignOut() {
    setEnding(true);
    await signOut();
    setEnding(false);
  }
  if (user) {
    return (
      <p className="account row">
        <bdi>{user.name}</bdi>
        <button type="button" aria-disabled={isEnding} onClick={() => void (isEnding || onSignOut())}>
          Sign out
        </button>
      </p>
    );
  }
  if (isAway) return <p className="account quiet">Sign-in is not available at the moment.</p>;
  return (
    user === null && (
      <p className="account">
        <a href={signInAddress()}>Sign in</a>
      </p>
    )
  );
}
