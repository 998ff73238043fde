// Watches a part's sources in development, so that the supervisor starts the part again on an edit.
import { existsSync, type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';

const SOURCE = /\.(ts|js|json|sql)$/;
/** Debounce: an editor or `git checkout` changes a file in several steps. */
const SETTLE_MS = 50;
/** The polling interval in milliseconds for a watched folder that is missing. */
const GONE_MS = 500;

export type Watch = { close(): void };

/**
 * Calls `edited` after a source below `folders` was changed, added or removed. Calls `failed` once, and stops watching,
 * when the system's limit of watches is reached. Paths are taken literally, not as patterns. Each folder is watched
 * singly, which works the same on all systems and costs one watch for each folder.
 * `sources` matches the names of source files.
 */
export function watchSources(
  folders: string[],
  edited: () => void,
  failed: (reason: string) => void,
  sources = SOURCE,
): Watch {
  let watchers: FSWatcher[] = [];
  let timer: NodeJS.Timeout | undefined;
  let known = '';

  const close = () => {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
    watchers = [];
  };
  const giveUp = (error: Error) => {
    close();
    failed(reasonOf(error));
  };
  const look = () => {
    const before = watchers;
    watchers = [];
    const found = folders.flatMap(visit).join('\n');
    // New watchers are opened before the old ones are closed, so that no edit is missed.
    for (const watcher of before) watcher.close();
    return found;
  };

  /** Watches a folder and its subfolders; returns the state of each source. A missing folder has none. */
  function visit(folder: string): string[] {
    try {
      watchers.push(watch(folder, settle).on('error', giveUp));
      return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : visit(path);
        if (!sources.test(entry.name)) return [];
        const { mtimeMs, size } = statSync(path);
        return [`${path} ${mtimeMs} ${size}`];
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  function settle(): void {
    clearTimeout(timer);
    timer = setTimeout(() => {
      try {
        const now = look();
        // The watch of a removed folder does not report that it is back.
        if (!folders.every((folder) => existsSync(folder))) timer = setTimeout(settle, GONE_MS);
        if (now === known) return;
        known = now;
        edited();
      } catch (error) {
        giveUp(error as Error);
      }
    }, SETTLE_MS);
  }

  try {
    known = look();
  } catch (error) {
    giveUp(error as Error);
  }
  return { close };
}

const more = (setting: string, value: number) =>
  `the limit of ${setting} is reached; raise it: sudo sysctl ${setting}=${value}`;

/** The limits of inotify(7) for a user on Linux. */
function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOSPC') return more('fs.inotify.max_user_watches', 524_288);
  if (error.code === 'EMFILE') return more('fs.inotify.max_user_instances', 1_024);
  return error.message;
}
