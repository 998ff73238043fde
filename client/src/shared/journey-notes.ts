// Notes the times at which this page sent comments and saw their verdicts, for the journey on the System page.

import { createListeners } from './listeners.ts';

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

/** The maximum number of notes kept; the bus remembers deliveries of as many events. */
const MOST = 10_000;

/** Notes by the comment's id, and until that is known by its idempotency key. */
const notes = new Map<string, Note>();
const changes = createListeners();

/** Notes an attempt to send a comment. */
export function noteSent(key: string): void {
  const { sentAt = Date.now(), tries = 0 } = notes.get(key) ?? {};
  put(key, { sentAt, tries: tries + 1 });
}

/** Notes the 201 of a comment, and its id if the service names it. */
export function noteAnswered(key: string, id: string | undefined, createdAt: string | null): void {
  if (id !== undefined) put(id, { ...notes.get(id), ...notes.get(key), answeredAt: Date.now(), createdAt });
  notes.delete(key);
}

/** Notes a comment that came by the stream with its verdict. Only the first time counts. */
export function noteShown(id: string): void {
  const note = notes.get(id);
  if (note?.shownAt === undefined) put(id, { ...note, shownAt: Date.now() });
}

/** The note of a comment. The same object is returned until it changes. */
export const noteOf = (id: string): Note | undefined => notes.get(id);

export const onNotes = changes.subscribe;

function put(key: string, note: Note) {
  notes.delete(key);
  notes.set(key, note);
  const [oldest] = notes.keys();
  if (notes.size > MOST && oldest !== undefined) notes.delete(oldest);
  changes.notify();
}
