// A reader of Server-Sent Events (HTML Standard §9.2) that records the messages.
import { setTimeout as pause } from 'node:timers/promises';
import { until } from './http.ts';

/** The pause before a stream is opened again, in milliseconds. */
const AGAIN = 50;

/** `at`: its arrival, by `performance.now()`. */
type Message = { at: number; event: string; id?: string; data: ReturnType<typeof JSON.parse> };

/** Opens a stream. Throws if its answer does not begin within `within` milliseconds. */
export async function openStream(url: string, within = 30_000) {
  const ending = new AbortController();
  const late = setTimeout(() => ending.abort(), within);
  const answer = await fetch(url, { signal: ending.signal }).finally(() => clearTimeout(late));
  const messages: Message[] = [];
  const reading = (async () => {
    let text = '';
    for await (const piece of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const blocks = (text + piece).split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
        const data = field('data');
        const event = field('event') ?? 'message';
        if (data) messages.push({ at: performance.now(), event, id: field('id'), data: JSON.parse(data) });
      }
    }
  })().catch(() => {}); // ended by the part, or by us

  return {
    status: answer.status,
    messages,
    /** Resolves when the stream has ended. */
    ended: reading,
    /** Waits for this comment with this status. */
    comment: (id: string, status: string) =>
      until(`${id} ${status} in the stream`, () =>
        messages.some(({ data }) =>
          data.comments?.some((c: { id: string }) => c.id === id && 'status' in c && c.status === status),
        ),
      ),
    async close(): Promise<void> {
      ending.abort();
      await reading;
    },
  };
}

/** Follows a stream of query as the page does: when it ends, it is opened again behind the last message. */
export function followStream(url: string, position: string) {
  const messages: Message[] = [];
  let stream: Awaited<ReturnType<typeof openStream>> | undefined;
  let streams = 0;
  let ending = false;
  const all = () => [...messages, ...(stream?.messages ?? [])];
  const following = (async () => {
    while (!ending) {
      const after = messages.at(-1)?.id ?? position;
      stream = await openStream(`${url}?after=${after}`).catch(() => undefined);
      if (stream?.status !== 200) {
        await pause(AGAIN);
        continue;
      }
      streams += 1;
      await stream.ended;
      messages.push(...stream.messages);
      stream = undefined;
    }
  })();

  return {
    messages: all,
    /** The number of streams that were opened. */
    streams: () => streams,
    /** Waits for one more message. */
    async more(): Promise<void> {
      const before = all().length;
      await until('one more message', () => all().length > before);
    },
    /** The posts that came, and the comments with the last status of each. */
    seen() {
      const changes = all().filter(({ event }) => event === 'message');
      const comments = changes.flatMap(({ data }): { id: string; status: string }[] => data.comments);
      return {
        posts: new Set(changes.map(({ data }): string => data.post.id)),
        comments: new Map(comments.map(({ id, status }) => [id, status])),
      };
    },
    async close(): Promise<void> {
      ending = true;
      await stream?.close();
      await following;
    },
  };
}
