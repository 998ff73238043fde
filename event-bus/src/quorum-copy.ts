// One copy of a bus on a quorum: what its parts need of each other, its metrics, and what `/readyz` says.

import type { Database } from '@blog/common/core/database.ts';
import type { Log } from '@blog/common/core/observer.ts';
import type { Metrics } from '@blog/common/observe/metrics.ts';
import { forwarding } from './forward.ts';
import { Leadership } from './leadership.ts';
import { Quorum } from './quorum.ts';
import { placeOf, setPlace } from './quorum-joining.ts';
import type { QuorumSettings } from './quorum-settings.ts';
import type { Tail } from './tail.ts';

/** The default of NATS_REPLICAS: of three nodes, one may be away. */
const REPLICAS = 3;

type Options = { db: Database; observer: { log: Log }; metrics: Metrics; tail: Tail; settings: QuorumSettings };

/** @returns undefined without NATS_URL: the log is on the disk of this copy alone */
export function createCopy({ db, observer, metrics, tail, settings }: Options) {
  const { NATS_URL: servers, NATS_TOKEN: token, NATS_REPLICAS: replicas = REPLICAS } = settings;
  const { COPY_NAME: name = 'event-bus', COPY_URL: url = '' } = settings;
  if (!servers) {
    // A database in trouble is reported elsewhere.
    forgetPlace(db).catch(() => {});
    return undefined;
  }
  const options = { db, log: observer.log, tail, settings: { servers, token, replicas, name, url } };
  const seconds = metrics.duration(
    'quorum_commit_seconds',
    'Duration until the quorum has what a commit adds to the log.',
  );
  const quorum = new Quorum({ ...options, measured: (duration) => seconds.observe(duration) });
  const leadership = new Leadership({ ...options, quorum });
  // The deliveries begin, or cease.
  leadership.onChange(() => tail.grow([]));

  metrics.gauge('bus_leader', '1 if this copy of the bus leads.', () => Number(leadership.leads));
  metrics.gauge('bus_diverged', '1 if the log of this copy is not the one of the quorum.', () =>
    Number(!!quorum.divergence),
  );
  const nodes = async () =>
    (await leadership.details()).quorum.nodes.map(({ name, current }) => [{ node: name }, Number(current)] as const);
  metrics.gauge('quorum_node_current', '1 if the node has the newest of the log.', nodes, ['node']);

  const routes = [forwarding(leadership, () => quorum.divergence && quorum.unready())];
  return { leadership, loops: [leadership], checks: [quorum], routes };
}

/** A log that goes on without the quorum is compared with the whole stream when it comes back. */
async function forgetPlace(db: Database): Promise<void> {
  const { seq } = await db.read(placeOf);
  if (seq > 0) await db.write((tx) => setPlace(tx, { seq: 0, position: 0 }));
}
