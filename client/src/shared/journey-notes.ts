// Notes the times at which this page sent comments and saw their verdicts, for the journey on the System page.

/** Times of one comment in this page, in milliseconds of this browser's clock. */
export type Note = {
  /** The time of the first attempt, and the number of attempts until the answer. */
  sentAt?: number;
  tries?: number;
  /** The time of the 201, and the comment's `createdAt` in it. */
  answeredAt?: number;
  createdAt?: string | null;
  /** The time at which the stream's verdict was shown. */
  shownAt?: number;
};

/** The maximum number of notes kept. Those of other readers' comments never displace the reader's own. */
const MOST = 1_000;

const sending = new Map<string, { sentAt: number; tries: number }>();
const own = new Map<string, Note>();
const others = new Map<string, Note>();
const listeners = new Set<() => void>();

/** Notes an attempt to send a comment. */
export function noteSent(key: string): void {
  const { sentAt = Date.now(), tries = 0 } = sending.get(key) ?? {};
  put(sending, key, { sentAt, tries: tries + 1 });
}

/** Notes the 201 of a comment, and its id if the service names it. */
export function noteAnswered(key: string, id: string | undefined, createdAt: string | null): void {
  if (id !== undefined) put(own, id, { ...noteOf(id), ...sending.get(key), answeredAt: Date.now(), createdAt });
  sending.delete(key);
  tell();
}

/** Notes a comment that came by the stream with its verdict. Only the first time counts. */
export function noteShown(id: string): void {
  if (noteOf(id)?.shownAt !== undefined) return;
  put(own.has(id) ? own : others, id, { ...own.get(id), shownAt: Date.now() });
  tell();
}

/** The note of a comment. The same object is returned until it changes. */
export const noteOf = (id: string): Note | undefined => own.get(id) ?? others.get(id);

export function onNotes(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function tell() {
  for (const listener of listeners) listener();
}

function put<T>(map: Map<string, T>, key: string, value: T) {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > MOST && oldest !== undefined) map.delete(oldest);
}
