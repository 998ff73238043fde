// One copy of a bus on a quorum: its parts, its metrics, and what `/readyz` says.
import type { Database } from '@blog/common/core/database.ts';
import type { Loop } from '@blog/common/core/loop.ts';
import type { Log } from '@blog/common/core/observer.ts';
import type { Metrics } from '@blog/common/observe/metrics.ts';
import type { Tail } from '../tail.ts';
import { forwarding } from './forward.ts';
import { forgetPlace } from './joining.ts';
import { Leadership } from './leadership.ts';
import { Quorum } from './quorum.ts';
import type { QuorumSettings } from './settings.ts';

type Options = {
  db: Database;
  observer: { log: Log };
  metrics: Metrics;
  settings: QuorumSettings;
  tail: Tail;
  /** The work of the copy that leads. */
  work: Loop;
};

/** @returns undefined without NATS_URL: the log is on the disk of this copy alone */
export function createCopy({ db, observer, metrics, settings, tail, work }: Options) {
  const { NATS_URL: servers, NATS_TOKEN: token, NATS_REPLICAS: replicas } = settings;
  const { COPY_NAME: name = 'event-bus', COPY_URL: url = '' } = settings;
  if (!servers) {
    // A database in trouble is reported elsewhere.
    forgetPlace(db).catch(() => {});
    return undefined;
  }
  const options = { db, log: observer.log, settings: { servers, token, replicas, name, url } };
  const help = 'Duration until the quorum has what a commit adds to the log.';
  const seconds = metrics.duration('quorum_commit_seconds', help);
  const quorum = new Quorum({ ...options, tail, measured: (duration) => seconds.observe(duration) });
  const leadership = new Leadership({ ...options, quorum, work });

  const isDiverged = () => Number(quorum.divergence !== undefined);
  const nodes = async () =>
    ((await quorum.stream?.nodes()) ?? []).map(({ name, current }) => [{ node: name }, Number(current)] as const);
  metrics.gauge('bus_leader', '1 if this copy of the bus leads.', () => Number(leadership.leads));
  metrics.gauge('bus_diverged', '1 if the log of this copy is not the one of the quorum.', isDiverged);
  metrics.gauge('quorum_node_current', '1 if the node has the newest of the log.', nodes, ['node']);

  return { leadership, quorum, routes: forwarding(leadership, () => quorum.divergence) };
}
