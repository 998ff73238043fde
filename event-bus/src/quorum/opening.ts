// Opening the quorum: the stream is made if it is missing, and refused if it is not this log's or would lose what it has taken.
import type { Database } from '@blog/common/core/database.ts';
import type { Log } from '@blog/common/core/observer.ts';
import type { JetStreamManager } from '@nats-io/jetstream';
import { chain, newest } from '../log.ts';
import { placeOf } from './joining.ts';
import type { CopySettings } from './settings.ts';
import { bounded, DEADLINE, LEASE, LOG, LogStream, TERM } from './stream.ts';

/** The monitoring pages of a server, by NATS' usual ports (4222 and 8222), from the port for clients. */
const MONITORING = 4_000;
/** JetStream's error code for a stream that is not there. */
const NOT_FOUND = 10_059;

/** A setting of the bus or of the servers is wrong: only a person can mend it. */
export class Unusable extends Error {}

/**
 * Connects, and checks the servers and the stream.
 * @throws Unusable if a person has to change something; any other error while the servers are away
 */
export async function openStream(db: Database, settings: CopySettings, log: Log): Promise<LogStream> {
  const { servers, token, name } = settings;
  await Promise.all(servers.map((server) => assertDurable(server, log)));
  // Loaded only where there is a quorum.
  const { connect, headers } = await import('@nats-io/transport-node');
  const { jetstream, jetstreamManager } = await import('@nats-io/jetstream');
  const connection = await connect({
    ...{ servers, token, name, timeout: DEADLINE, ignoreClusterUpdates: true },
    ...{ maxReconnectAttempts: -1, reconnectTimeWait: 100, pingInterval: 2_000, maxPingOut: 2 },
  }).catch((error) => {
    throw error.name === 'AuthorizationError' ? new Unusable('The servers at NATS_URL refuse NATS_TOKEN.') : error;
  });
  try {
    const options = { timeout: DEADLINE };
    const manager = await bounded(jetstreamManager(connection, options));
    await openLog(manager, db, settings);
    return new LogStream({ connection, manager, jetstream: jetstream(connection, options), headers });
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Makes the streams that are missing: the log, in which nothing ever changes; the lease, one message that is forgotten after its term. */
async function openLog({ streams }: JetStreamManager, db: Database, { name, replicas }: CopySettings): Promise<void> {
  const own = await db.read((tx) => ({
    id: tx.get<{ id: string }>('SELECT id FROM log')?.id ?? '',
    isEmpty: newest(tx).position === 0,
    seq: placeOf(tx).seq,
  }));
  const create = (name: string, more: object) => {
    const config = { name, subjects: [name], storage: 'file' as const, num_replicas: replicas, allow_direct: true };
    return bounded(streams.add({ ...config, ...more }), 10_000);
  };
  let info = await bounded(streams.info(LOG)).catch((error) => {
    if (error.code !== NOT_FOUND) throw error;
    return undefined;
  });
  if (!info) {
    if (own.seq > 0)
      throw new Error(
        'the stream is gone; to make it again from the log of this copy, start this copy once without NATS_URL',
      );
    // The copy that has the log, or the first of several new ones: else an empty copy could be faster than one that has events.
    if (own.isEmpty && !/(^|[^\d-]|-0)$/.test(name))
      throw new Error('there is no stream yet, and a copy with another name makes it');
    const metadata = { log: own.id };
    info = await create(LOG, { metadata, deny_delete: true, deny_purge: true, discard: 'new' });
  }
  const { metadata, num_replicas = 1, deny_delete, deny_purge } = info.config;
  const log = metadata?.log;
  if (!log || !deny_delete || !deny_purge) throw new Unusable('The stream "log" at NATS_URL was not made by this bus.');
  if (num_replicas < replicas)
    throw new Unusable(
      `The stream "log" at NATS_URL has ${num_replicas} replicas, fewer than NATS_REPLICAS (${replicas}).`,
    );
  await create(LEASE, { max_msgs: 1, max_age: TERM * 1_000_000 });
  if (log === own.id) return;
  if (!own.isEmpty)
    throw new Unusable(
      `The stream at NATS_URL is of another log (${log}) than DATA_DIR (${own.id}): set NATS_URL to the servers of this log, or start with an empty DATA_DIR.`,
    );
  await db.writeSealed((tx) => tx.run('UPDATE log SET id = ?, checksum = ?', log, chain('', log)));
}

/**
 * A server that acknowledges before it has fsynced loses acknowledged events with its power. Only the monitoring page says so:
 * one that cannot be reached is not refused, but named in the log.
 */
async function assertDurable(server: string, log: Log): Promise<void> {
  const { hostname, port } = new URL(server);
  const page = `http://${hostname}:${Number(port) + MONITORING}/jsz`;
  const answer = await fetch(page, { signal: AbortSignal.timeout(1_000) })
    .then((response) => response.json() as Promise<{ disabled?: boolean; config?: { sync_always?: boolean } }>)
    .catch(() => undefined);
  // A server whose disk is full takes nothing, and names an empty configuration.
  if (!answer?.config || answer.disabled)
    log.warn({ server }, 'cannot check that this server fsyncs before it acknowledges: no monitoring page');
  else if (!answer.config.sync_always)
    throw new Unusable(
      `The server ${server} acknowledges before it has fsynced: set sync_interval: always in the jetstream block of its configuration.`,
    );
}
