/** What this page saw of a comment, in milliseconds of this browser's clock. */
export type Note = {
  /** When it was first sent from here, and how often until it was answered. */
  sentAt?: number;
  tries?: number;
  /** When the 201 came, and when the comment was made, as it says. */
  answeredAt?: number;
  createdAt?: string | null;
  /** When the stream brought the verdict, and the page showed it. */
  shownAt?: number;
};

/** A page that is left open keeps the newest only; those of others, who may be many, displace none of the reader's own. */
const MOST = 1_000;

const sending = new Map<string, { sentAt: number; tries: number }>();
const own = new Map<string, Note>();
const others = new Map<string, Note>();
const listeners = new Set<() => void>();

/** The page sends a comment, or sends it again. */
export function noteSent(key: string): void {
  const { sentAt = Date.now(), tries = 0 } = sending.get(key) ?? {};
  put(sending, key, { sentAt, tries: tries + 1 });
}

/** Its 201 came, and with it its id, if the service says it. */
export function noteAnswered(
  key: string,
  { id, createdAt }: { id: string | undefined; createdAt: string | null },
): void {
  if (id !== undefined) put(own, id, { ...noteOf(id), ...sending.get(key), answeredAt: Date.now(), createdAt });
  sending.delete(key);
  tell();
}

/** The stream brought a comment with its verdict. Only the first time counts. */
export function noteShown(id: string): void {
  if (noteOf(id)?.shownAt !== undefined) return;
  put(own.has(id) ? own : others, id, { ...own.get(id), shownAt: Date.now() });
  tell();
}

/** What was noted of a comment: the same object until there is more. */
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
