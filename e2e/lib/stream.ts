// A reader of Server-Sent Events (HTML Standard §9.2) that records the messages.
import { until } from './http.ts';

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
