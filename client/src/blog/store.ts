import { createCore } from './core.ts';
import { withNextPage } from './entry.ts';
import { fromList, oldestShown, withOlder, withWaitingShown } from './feed.ts';
import type { Own } from './own.ts';
import { createRefresher, createSeeker } from './repair.ts';
import { type Created, readPost, readPosts } from './requests.ts';
import { createSync } from './sync.ts';

export type FeedStore = ReturnType<typeof createFeedStore>;

/** The live state of the page and the actions on it. `announce` addresses screen readers. */
export function createFeedStore(announce: (text: string) => void) {
  const core = createCore(announce);
  const sync = createSync(core);
  const refresher = createRefresher(core, sync);
  const seeker = createSeeker(core);
  core.subscribe(() => refresher.start());

  return {
    getState: core.getState,
    subscribe: core.subscribe,
    announce,
    /** Reads the list and keeps it live until `stop`. Both may be called again. */
    start() {
      sync.start();
      seeker.start();
    },
    stop() {
      core.stop();
      sync.stop();
      refresher.stop();
      seeker.stop();
    },
    /** Retries now instead of waiting for the next try. */
    retry() {
      if (core.getState().phase === 'failed') core.set({ phase: 'loading' });
      sync.start();
    },
    async showWaiting() {
      core.flush();
      if (!core.getState().feed.manyWaiting) return core.set({ feed: withWaitingShown(core.getState().feed) });
      await core.merge(
        () => sync.upToDate(() => readPosts()),
        (list) => fromList(list, core.getState().feed),
      );
    },
    async loadOlder() {
      const cursor = oldestShown(core.getState().feed);
      await core.merge(
        () => sync.upToDate(() => readPosts(cursor)),
        (list) => withOlder(core.getState().feed, list),
      );
    },
    async loadComments(id: string) {
      const cursor = core.lastComment(id);
      await core.merge(
        () => sync.upToDate(() => readPost(id, cursor)),
        (page) => core.changed(id, (entry) => withNextPage(entry, page)),
      );
    },
    /**
     * Sends an own item and keeps showing it until it arrives (optimistic update). The stream may be faster than the
     * answer, so its messages meanwhile are applied again once the item's id is known.
     */
    async submit(what: Pick<Own, 'kind' | 'texts'> & { postId?: string }, send: () => Promise<Created>) {
      await core.merge(send, ({ id, createdAt }) => {
        announce(`Your ${what.kind} is on its way.`);
        // Without an id it cannot be matched with an arriving item, so it is shown when it arrives.
        if (id === undefined) return core.getState().feed;
        core.addOwn({ postId: id, ...what, id, createdAt, sentAt: Date.now(), arrived: false, late: false });
        return withWaitingShown(core.getState().feed, id);
      });
      seeker.start();
    },
    /** Stops showing an own item that did not arrive. */
    dismiss(id: string) {
      core.set({ own: core.getState().own.filter((own) => own.id !== id) });
    },
  };
}
