// The settings of a log on a quorum.
import { wholeNumber } from '@blog/common/http/input.ts';
import { z } from 'zod';

const serverUrl = z.url({ protocol: /^nats$/, hostname: /./ });

/** `NATS_URL`: the servers, `nats://host:port`, separated by commas. */
const serverList = z.string().transform((text, context) => {
  const servers = text.split(',').map((server) => server.trim().replace(/^(?!\w+:\/\/)/, 'nats://'));
  if (servers.every((server) => serverUrl.safeParse(server).success)) {
    return servers.map((server) => (new URL(server).port ? server : `${server}:4222`));
  }
  context.addIssue({ code: 'custom', message: 'must be nats://host:port, several of them separated by commas' });
  return z.NEVER;
});

export const quorumSettings = {
  NATS_URL: serverList.optional(),
  /** The number of servers that hold the log: a majority of them has each event before it is acknowledged. Of three, one may be away. */
  NATS_REPLICAS: wholeNumber(1, 5).default(3),
  NATS_TOKEN: z.string().min(1).optional(),
  /** The address at which the other copies of the bus reach this one. */
  COPY_URL: z.url({ protocol: /^http$/, error: 'must be an http:// address' }).optional(),
};

export type QuorumSettings = z.infer<z.ZodObject<typeof quorumSettings>> & { COPY_NAME?: string };

/** The servers; the number of those that hold the log; and the name and the address of this copy. */
export type CopySettings = { servers: string[]; token?: string; replicas: number; name: string; url: string };

/**
 * Without a quorum a second copy would have a log of its own, which nothing joins with the first one's; with one the others have to
 * reach it: else it does not start.
 */
export function assertCopies({ NATS_URL, COPY_URL, COPY_NAME = '' }: QuorumSettings, context: z.RefinementCtx): void {
  const refuse = (name: string, message: string) => context.addIssue({ code: 'custom', path: [name], message });
  if (NATS_URL && !COPY_URL)
    refuse('COPY_URL', 'must be given with NATS_URL: the address at which the other copies reach this one');
  if (!NATS_URL && /-[1-9]\d*$/.test(COPY_NAME))
    refuse(
      'COPY_NAME',
      `${COPY_NAME} is a second copy of event-bus, and has no NATS_URL: its log would be another one. Set it, or run one copy: kubectl -n blog scale statefulset/event-bus --replicas=1`,
    );
}
