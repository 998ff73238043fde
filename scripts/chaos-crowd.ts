// Many writers and readers at once. What the writers were told is remembered, for the checker.
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { fingerprint, readLog, type Write } from '../e2e/checker.ts';
import { type Answer, get, request } from '../e2e/http.ts';
import { openStream } from '../e2e/stream.ts';
import type { System } from '../e2e/system.ts';

const WRITERS = 16;
/** Every so manieth writer goes through the gateway. */
const THROUGH_GATEWAY = 4;
/** How long a writer waits for an answer, before it sends again, and on average between two writes, in milliseconds. */
const WITHIN = 5_000;
const AGAIN = 50;
const THINK = 80;
/** How long a writer goes on sending again after it was told to stop, in milliseconds. */
const PATIENCE = 60_000;
/** How long a reader keeps a stream or waits between two lists, in milliseconds. */
const READ = 500;

const oneOf = <T>(items: T[]) => items[Math.floor(Math.random() * items.length)];

export type Crowd = ReturnType<typeof startCrowd>;

export function startCrowd(system: System) {
  const writes: Write[] = [];
  const seen = new Map<number, string>();
  const postIds: string[] = [];
  /** How often each status but 201 was answered; 0: no answer. */
  const refused = new Map<number, number>();
  const counts = { inFlight: 0, acknowledged: 0, repeated: 0, givenUp: 0, reads: 0 };
  let going = true;
  let patience = Number.POSITIVE_INFINITY;

  /** Sends it, always with the same key, until it is acknowledged or refused for good. */
  async function send(write: Write, url: string, body: object): Promise<void> {
    const headers = { 'idempotency-key': write.key };
    for (let uncertain = false; performance.now() < patience; counts.repeated++, await pause(AGAIN)) {
      counts.inFlight += 1;
      const answer: Answer | undefined = await request(url, { method: 'POST', body, headers, within: WITHIN })
        .catch(() => undefined)
        .finally(() => {
          counts.inFlight -= 1;
        });
      const status = answer?.status ?? 0;
      if (status === 201) {
        write.outcome = 'acknowledged';
        write.id = answer?.body.id;
        counts.acknowledged += 1;
        return;
      }
      refused.set(status, (refused.get(status) ?? 0) + 1);
      if (status === 429) continue;
      if (status >= 400 && status < 500) {
        // An earlier attempt that was not answered may still be carried out.
        write.outcome = uncertain ? 'unknown' : 'refused';
        return;
      }
      uncertain = true;
    }
    counts.givenUp += 1;
  }

  async function write(writer: number): Promise<void> {
    const throughGateway = writer % THROUGH_GATEWAY === 0;
    const url = (part: string) => system.url(throughGateway ? 'client' : part);
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
      await send(one, url(kind === 'post' ? 'posts' : 'comments') + path, body);
      if (one.outcome !== 'acknowledged') continue;
      if (kind === 'post') {
        latest = one.id as string;
        postIds.push(latest);
      }
      if (Math.random() < 0.03) {
        // As after an answer that never came.
        const again: Write = { ...one, outcome: 'unknown' };
        writes.push(again);
        counts.repeated += 1;
        await send(again, url(kind === 'post' ? 'posts' : 'comments') + path, body);
        counts.acknowledged -= 1; // it is one write
      }
    }
  }

  /** Reads again and again; whoever is away now may be there the next time. */
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

  async function readStream(url: string): Promise<void> {
    const stream = await openStream(url, WITHIN);
    await pause(READ);
    await stream.close();
  }

  async function followLog(): Promise<void> {
    for await (const page of readLog(system.url('event-bus'), seen.size))
      for (const event of page) seen.set(event.position, fingerprint(event));
  }

  const everybody = Promise.all([
    ...Array.from({ length: WRITERS }, (_, writer) => write(writer)),
    read(() => get(`${system.url('client')}/posts`)),
    read(() => get(`${system.url('query')}/posts/${oneOf(postIds)}`)),
    read(() => get(`${system.url('comments')}/posts/${oneOf(postIds)}/comments`)),
    read(() => readStream(`${system.url('client')}/stream`)),
    read(() => readStream(`${system.url('query')}/stream`)),
    read(() => readStream(`${system.url('event-bus')}/stream`)),
    read(followLog),
  ]);

  return {
    writes,
    seen,
    refused,
    counts,
    /** Done when every write that was begun is acknowledged or refused, or its writer has given up. */
    async stop(): Promise<void> {
      going = false;
      patience = performance.now() + PATIENCE;
      await everybody;
    },
  };
}
