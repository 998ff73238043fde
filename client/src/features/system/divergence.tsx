import type { Subscription } from '../../api/bus.ts';

/** The services that own data, of which query has only copies. */
const OWNERS = ['posts', 'comments', 'moderation'];

/** Explains a diverged subscription, and how to repair it. */
export function Divergence({ subscription: { name, lastError } }: { subscription: Subscription }) {
  return (
    <div className="divergence">
      <p>
        <strong>Not of one history with the log:</strong> {lastError ?? 'they know different events'}. One of the two
        was lost or put back from an older copy. Nothing is sent to it, so that nothing is skipped unnoticed.
      </p>
      <Repair name={name} />
    </div>
  );
}

function Repair({ name }: { name: string }) {
  if (OWNERS.includes(name)) {
    return (
      <p>
        <strong>What to do:</strong> replay it. It keeps all that it has, and gives the log back what that has lost.
        Never delete its database: some of that may be nowhere else.
      </p>
    );
  }
  if (name === 'query') {
    return (
      <p>
        <strong>What to do:</strong> first replay posts, comments and moderation if they are diverged, too. Then stop
        query, delete its database (<code>query.db</code> and what begins like it) and start it: it is made anew from
        the log.
      </p>
    );
  }
  return (
    <p>
      <strong>What to do:</strong> if it has anything that is nowhere else, replay it; if all that it keeps comes from
      the log, stop it, delete its database and start it.
    </p>
  );
}
