// Opening the quorum: the stream is made if it is missing, and refused if it is not this log's or would lose what it has taken.
import type { Database } from '@blog/common/core/database.ts';
import type { Log } from '@blog/common/core/observer.ts';
import { chain, newest } from '../log.ts';
import { placeOf } from './joining.ts';
import type { CopySettings } from './settings.ts';
import { LogStream, Unusable } from './stream.ts';

/** The monitoring pages of a server, by NATS' usual ports (4222 and 8222), from the port for clients. */
const MONITORING = 4_000;

/**
 * Connects, and checks the servers and the stream.
 * @throws Unusable if a person has to change something; any other error while the servers are away
 */
export async function openStream(db: Database, settings: CopySettings, log: Log): Promise<LogStream> {
  await Promise.all(settings.servers.map((server) => assertDurable(server, log)));
  const stream = await LogStream.connect(settings, settings.name);
  try {
    await openLog(stream, db, settings);
    await stream.createLease(settings.replicas);
    return stream;
  } catch (error) {
    await stream.close();
    throw error;
  }
}

async function openLog(stream: LogStream, db: Database, { name, replicas }: CopySettings): Promise<void> {
  const own = await db.read((tx) => ({
    id: tx.get<{ id: string }>('SELECT id FROM log')?.id ?? '',
    isEmpty: newest(tx).position === 0,
    seq: placeOf(tx).seq,
  }));
  let info = await stream.info();
  if (!info) {
    if (own.seq > 0)
      throw new Error(
        'the stream is gone; to make it again from the log of this copy, start this copy once without NATS_URL',
      );
    // The copy that has the log, or the first of several new ones: else an empty copy could be faster than one that has events.
    if (own.isEmpty && !/(^|[^\d-]|-0)$/.test(name))
      throw new Error('there is no stream yet, and a copy with another name makes it');
    await stream.createLog(own.id, replicas);
    info = await stream.info();
  }
  const { metadata, num_replicas = 1, deny_delete, deny_purge } = info?.config ?? {};
  const log = metadata?.log;
  if (!log || !deny_delete || !deny_purge) throw new Unusable('The stream "log" at NATS_URL was not made by this bus.');
  if (num_replicas < replicas)
    throw new Unusable(
      `The stream "log" at NATS_URL has ${num_replicas} replicas, fewer than NATS_REPLICAS (${replicas}).`,
    );
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
    .then((response) => response.json() as Promise<{ config?: { sync_always?: boolean } }>)
    .catch(() => undefined);
  if (!answer?.config)
    log.warn({ server }, 'cannot check that this server fsyncs before it acknowledges: no monitoring page');
  else if (!answer.config.sync_always)
    throw new Unusable(
      `The server ${server} acknowledges before it has fsynced: set sync_interval: always in the jetstream block of its configuration.`,
    );
}
