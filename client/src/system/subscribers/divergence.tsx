import type { Subscription } from '../bus.ts';

/** The services that own data, of which query has only copies. */
const OWNERS = ['posts', 'comments', 'moderation'];

/** Explains a diverged subscription, and how to repair it. */
export function Divergence({ subscription: { name, lastError } }: { subscription: Subscription }) {
  return (
    <div className="divergence">
      <p>
        <strong>Its history differs from the log's:</strong> {lastError ?? 'they know different events'}. One of the two
        was lost, or restored from an older backup. Nothing is delivered to it, so that no event is lost unnoticed.
      </p>
      <Repair name={name} />
    </div>
  );
}

function Repair({ name }: { name: string }) {
  if (OWNERS.includes(name)) {
    return (
      <p>
        <strong>What to do:</strong> replay it. It keeps its data, and publishes again what the log has lost. Never
        delete its database: it may have the only copy of some data.
      </p>
    );
  }
  if (name === 'query') {
    return (
      <p>
        <strong>What to do:</strong> first replay posts, comments and moderation if they are diverged, too. Then stop
        query, delete its database (<code>query.db*</code>) and start it: it is rebuilt from the log.
      </p>
    );
  }
  return (
    <p>
      <strong>What to do:</strong> if it has data of its own, replay it; if all of its data comes from the log, stop it,
      delete its database and start it.
    </p>
  );
}
