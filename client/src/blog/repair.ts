// Repairs gaps between the page and the read model: stale posts, and own items that do not arrive.

import { RequestError } from '../shared/http.ts';
import type { FeedCore } from './core.ts';
import { withFreshRead } from './entry.ts';
import { type Own, withLate } from './own.ts';
import { readPost } from './requests.ts';
import type { Sync } from './sync.ts';
import type { Message, PostPage } from './types.ts';

const REFRESH_EVERY_MS = 1_000;
const SEEK_AFTER_MS = 3_000;
const SEEK_AT_MOST_EVERY_MS = 30_000;

/** Reads stale posts again, one after another: more of their comments changed than the stream contained. */
export function createRefresher(core: FeedCore, sync: Sync) {
  let timer: ReturnType<typeof setTimeout> | undefined;

  const stalePosts = () => [...core.getState().feed.entries].filter(([, entry]) => entry.stale).map(([id]) => id);

  function start(wait = 0) {
    if (timer !== undefined || stalePosts().length === 0) return;
    const mine = core.run();
    timer = setTimeout(async () => {
      // A post that could not be read stays stale for the next round.
      for (const id of stalePosts()) if (mine === core.run()) await refresh(id).catch(() => undefined);
      if (mine !== core.run()) return;
      timer = undefined;
      start(REFRESH_EVERY_MS);
    }, wait);
  }

  async function refresh(id: string) {
    const loaded = core.getState().feed.entries.get(id)?.comments.length ?? 0;
    await core.merge(
      () => sync.upToDate(() => readAtLeast(id, loaded).catch(missingAsUndefined)),
      (page) => core.changed(id, (entry) => (page ? withFreshRead(entry, page) : { ...entry, stale: false })),
      true,
    );
  }

  function stop() {
    clearTimeout(timer);
    timer = undefined;
  }

  return { start, stop };
}

/**
 * Posts are never deleted, so a read model without one is being rebuilt: it stays shown, and the stream will bring it.
 */
function missingAsUndefined(error: unknown): undefined {
  if (error instanceof RequestError && error.status === 404) return undefined;
  throw error;
}

/**
 * Looks for the reader's own items that do not arrive: they may lie after comments not loaded, or before the stream
 * began.
 */
export function createSeeker(core: FeedCore) {
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** Starts soon, with exponential backoff. */
  function start(waited = 0) {
    stop();
    if (core.getState().own.every((own) => own.arrived)) return;
    const wait = Math.min(Math.max(SEEK_AFTER_MS, waited * 2), SEEK_AT_MOST_EVERY_MS);
    const mine = core.run();
    timer = setTimeout(async () => {
      await seek();
      if (mine === core.run()) start(wait);
    }, wait);
  }

  async function seek() {
    const before = core.getState().own;
    const own = withLate(before, Date.now());
    if (own !== before) {
      core.announce('Something you sent is stored but has not appeared yet. You need not send it again.');
      core.set({ own });
    }
    for (const item of own.filter((item) => !item.arrived)) {
      const found = await findOwn(item, core.lastComment(item.postId)).catch(() => undefined);
      if (found) core.receive(found);
    }
  }

  const stop = () => clearTimeout(timer);

  return { start, stop };
}

/** Reads a post from its first comment on, until at least `count` comments or all are read. */
async function readAtLeast(id: string, count: number): Promise<PostPage> {
  let page = await readPost(id);
  while (page.hasNext && page.comments.length < count) {
    const next = await readPost(id, page.comments.at(-1)?.id);
    if (next.comments.length === 0) break;
    page = { ...next, comments: [...page.comments, ...next.comments] };
  }
  return page;
}

/** Looks for an own item in the read model, after the comment `cursor`; undefined if it is not there (yet). */
async function findOwn(own: Own, cursor: string | undefined): Promise<Message | undefined> {
  if (own.kind === 'post') {
    const { post, comments } = await readPost(own.id);
    return { post, comments };
  }
  for (let after = cursor; ; ) {
    const page = await readPost(own.postId, after);
    const comments = page.comments.filter((comment) => comment.id === own.id);
    if (comments.length > 0) return { post: page.post, comments };
    const last = page.comments.at(-1);
    if (!page.hasNext || !last) return undefined;
    after = last.id;
  }
}
