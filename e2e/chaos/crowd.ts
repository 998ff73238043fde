// The load of a chaos run: many concurrent writers and readers. The answers that the writers got are recorded for the
// checker.
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { fingerprint, readLog, type Write } from '../lib/checker.ts';
import { type Answer, get, idOf, request } from '../lib/http.ts';
import { openStream } from '../lib/stream.ts';

const WRITERS = 16;
/** One writer in this many goes through the gateway. */
const THROUGH_GATEWAY = 4;
/** A writer's timeout before it retries, and its average pause between two writes, in milliseconds. */
const WITHIN = 5_000;
const AGAIN = 50;
const THINK = 80;
/** The time for which a stopped writer continues to retry an unanswered write, in milliseconds. */
const PATIENCE = 60_000;
/** The time for which a reader keeps a stream, or waits between two lists, in milliseconds. */
const READ = 500;

const oneOf = <T>(items: T[]) => items[Math.floor(Math.random() * items.length)];

export type Crowd = ReturnType<typeof startCrowd>;

type Options = {
  /** The log's stream is followed only if the bus has one, as ours. */
  followsLog: boolean;
  /** With sign-in: the cookie of a writer's session. Only the gateway takes it. */
  cookieOf?: ((writer: number) => string) | undefined;
};

/** Starts the load. `url` gives a part's address. */
export function startCrowd(url: (part: string) => string, { followsLog, cookieOf }: Options) {
  const writes: Write[] = [];
  const seen = new Map<number, string>();
  const postIds: string[] = [];
  /** Number of answers by status, other than 201; 0: no answer. */
  const refused = new Map<number, number>();
  const counts = { inFlight: 0, acknowledged: 0, repeated: 0, givenUp: 0, reads: 0 };
  /** Writes that at least once got no answer or a 5xx, and the outcome of their retries. */
  const uncertain = { writes: 0, acknowledged: 0, refused: 0 };
  let going = true;
  let patience = Number.POSITIVE_INFINITY;

  /** Sends a write, always with the same key, until it is acknowledged or refused for good. */
  async function send(write: Write, to: string, body: object, cookie: string | undefined): Promise<void> {
    const headers: Record<string, string> = { 'idempotency-key': write.key, ...(cookie && { cookie }) };
    for (let isUncertain = false; performance.now() < patience; counts.repeated++, await pause(AGAIN)) {
      counts.inFlight += 1;
      const answer: Answer | undefined = await request(to, { method: 'POST', body, headers, within: WITHIN })
        .catch(() => undefined)
        .finally(() => {
          counts.inFlight -= 1;
        });
      const status = answer?.status ?? 0;
      if (status === 201) {
        write.outcome = 'acknowledged';
        write.id = idOf(answer?.body, write.text);
        counts.acknowledged += 1;
        if (isUncertain) uncertain.acknowledged += 1;
        return;
      }
      refused.set(status, (refused.get(status) ?? 0) + 1);
      // The request did not come in time, as after a pause of its reader (408), or there are too many (429): nothing was
      // done. The post is not known yet (404). An attempt before may have been stored, so the writer retries until it is known.
      if (status === 408 || status === 429 || (status === 404 && isUncertain)) continue;
      if (status >= 400 && status < 500) {
        write.outcome = 'refused';
        if (isUncertain) uncertain.refused += 1;
        return;
      }
      if (!isUncertain) uncertain.writes += 1;
      isUncertain = true;
    }
    counts.givenUp += 1;
  }

  async function write(writer: number): Promise<void> {
    const to = (part: string) => url(cookieOf || writer % THROUGH_GATEWAY === 0 ? 'client' : part);
    const cookie = cookieOf?.(writer);
    let latest: string | undefined;
    for (let n = 0; going; n++, await pause(2 * THINK * Math.random())) {
      const postId = Math.random() < 0.5 ? latest : oneOf(postIds);
      const kind = postId && Math.random() < 0.75 ? 'comment' : 'post';
      const tooLong = Math.random() < 0.02 ? 'x'.repeat(2_000) : '';
      const text = `${kind} ${n} of writer ${writer}${Math.random() < 0.2 ? ', an orange one' : ''}${tooLong}`;
      const one: Write = { kind, text, key: randomUUID(), outcome: 'unknown' };
      if (kind === 'comment') one.postId = postId;
      writes.push(one);
      const path = kind === 'post' ? '/posts' : `/posts/${postId}/comments`;
      const body = kind === 'post' ? { title: text } : { content: text };
      await send(one, to(kind === 'post' ? 'posts' : 'comments') + path, body, cookie);
      if (one.outcome !== 'acknowledged') continue;
      if (kind === 'post') {
        latest = one.id as string;
        postIds.push(latest);
      }
      if (Math.random() < 0.03) {
        // Treated as if its answer had been lost.
        const again: Write = { ...one, outcome: 'unknown' };
        writes.push(again);
        counts.repeated += 1;
        await send(again, to(kind === 'post' ? 'posts' : 'comments') + path, body, cookie);
        counts.acknowledged -= 1; // counted once
      }
    }
  }

  /** Reads repeatedly and ignores failures: the part may be back by the next time. */
  async function read(work: () => Promise<unknown>): Promise<void> {
    while (going) {
      await work()
        .then(() => {
          counts.reads += 1;
        })
        .catch(() => {});
      await pause(READ);
    }
  }

  async function readStream(part: string): Promise<void> {
    const stream = await openStream(`${url(part)}/stream`, WITHIN);
    await pause(READ);
    await stream.close();
  }

  async function followLog(): Promise<void> {
    for await (const page of readLog(url('event-bus'), seen.size))
      for (const event of page) seen.set(event.position, fingerprint(event));
  }

  const everybody = Promise.all([
    ...Array.from({ length: WRITERS }, (_, writer) => write(writer)),
    read(() => get(`${url('client')}/posts`)),
    read(() => get(`${url('query')}/posts/${oneOf(postIds)}`)),
    read(() => get(`${url('comments')}/posts/${oneOf(postIds)}/comments`)),
    read(() => readStream('client')),
    read(() => readStream('query')),
    read(() => readStream('event-bus')),
    followsLog && read(followLog),
  ]);

  return {
    writes,
    seen,
    refused,
    counts,
    uncertain,
    /** Resolves once every write that was begun is acknowledged or refused, or its writer has given up. */
    async stop(): Promise<void> {
      going = false;
      patience = performance.now() + PATIENCE;
      await everybody;
    },
  };
}
