// Names, ports and folders of the copies of `npm start -- --copies 2`: posts-0 and posts-1 in place of posts.
import { join } from 'node:path';
import { ALL_PORTS, PORTS } from '@blog/common/run/parts.ts';
import { freeBlock } from './port-use.ts';

/** The part of a copy: `posts` of `posts-1`, and of `posts`. */
export const partOf = (name: string): string => name.replace(/-\d+$/, '');

/** The number of a copy, its ordinal: 1 of `posts-1`; undefined for a part that runs once. */
export function ordinalOf(name: string): number | undefined {
  const [, ordinal] = /-(\d+)$/.exec(name) ?? [];
  return ordinal === undefined ? undefined : Number(ordinal);
}

export const copyNames = (part: string, count: number): string[] =>
  count > 1 ? Array.from({ length: count }, (_, ordinal) => `${part}-${ordinal}`) : [part];

/** Copy 0 listens 100 ports above its part's own port, copy 1 200 ports above it. */
export const portAbove = (port: number, name: string): number => port + 100 * ((ordinalOf(name) ?? -1) + 1);

/** The first copy has its database where a single one has it: so the blog is the same with copies and without. */
export const folderOf = (dataDir: string, name: string): string =>
  ordinalOf(name) ? join(dataDir, `copy-${ordinalOf(name)}`) : dataDir;

/** The port of `nats-0`. The next node has the next one; that for other nodes is 2,000 above, for monitoring 4,000 above. */
export const NATS_PORT = 4222;

/** The ports of the nodes of NATS, the first of which listens on `port`. */
export const natsPorts = (port: number, count: number) =>
  Array.from({ length: count }, (_, index) => {
    const client = port + index;
    return { client, route: client + 2_000, monitor: client + 4_000 };
  });

/** Ports for `--port` at which all parts, their copies and three nodes of NATS find their own free; for tests. */
export async function freeLayout(copies: number): Promise<Record<string, number>> {
  const offsets = { ...ALL_PORTS, nats: NATS_PORT, client: 4009 };
  const needed = [
    ...Object.values(offsets).flatMap((port) => copyNames('x', copies).map((name) => portAbove(port, name))),
    ...Object.values(offsets),
    ...natsPorts(NATS_PORT, 3).flatMap((ports) => Object.values(ports)),
  ];
  const above = await freeBlock(needed.map((port) => port - PORTS.posts));
  return Object.fromEntries(Object.entries(offsets).map(([name, port]) => [name, above + port - PORTS.posts]));
}
