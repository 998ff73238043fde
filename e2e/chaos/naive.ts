// The classic version (bench/naive) under the same faults: run by the same supervisor, behind the same gateway.
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { PARTS, urlSetting } from '@blog/common/run/parts.ts';
import { HOST, root, specOf } from '../../scripts/lib/part-process.ts';
import { freePorts } from '../../scripts/lib/port-use.ts';
import { supervise } from '../../scripts/lib/supervisor.ts';
import type { LogEvent, Snapshot, Write } from '../lib/checker.ts';
import { get, until } from '../lib/http.ts';

const READY_WITHIN = 60_000;
/**
 * It has no signal for being idle: it counts as idle once nothing has changed for this long, in milliseconds, or after
 * the maximum.
 */
const STILL = 2_000;
const STILL_WITHIN = 60_000;

const silent = { line() {}, note() {}, ready() {}, ended() {}, invalidSetting() {}, unwatched() {} };

/** Starts its five parts and our gateway; resolves once all of them answer. */
export async function startNaive(production: boolean) {
  const numbers = await freePorts(PARTS.length);
  const ports = new Map<string, number>(PARTS.map((name, i) => [name, numbers[i] as number]));
  const url = (part: string) => `http://${HOST}:${ports.get(part)}`;
  const urls = Object.fromEntries(PARTS.map((name) => [urlSetting(name), url(name)]));
  const parts = PARTS.map((name) => {
    const port = ports.get(name) as number;
    const env = { ...urls, HOST, PORT: String(port) };
    const naive = { name, folder: join(root, 'bench', 'naive'), main: `${name}.ts`, port, env };
    return supervise(name === 'client' ? specOf(name, { dataDir: '', production, ports }) : naive, silent);
  });
  const partOf = (name: string) => parts.find((part) => part.name === name);
  const isReady = async (name: string) => partOf(name)?.status().state === 'ready';
  const stop = () => Promise.all(parts.map((part) => part.stop()));
  for (const part of parts) part.start();
  await until(
    'the classic version is ready',
    async () => (await Promise.all(PARTS.map(isReady))).every(Boolean),
    READY_WITHIN,
  ).catch(async (error) => {
    await stop();
    throw error;
  });

  const body = async (address: string) => (await get(address)).body;
  const everything = async () =>
    JSON.stringify([await body(`${url('event-bus')}/events`), await body(`${url('query')}/posts`)]);

  return {
    url,
    isReady,
    stop,
    kill: async (name: string) => partOf(name)?.kill(),

    /** Resolves once nothing changes any more. */
    async quiet(): Promise<void> {
      let before = '';
      await until(
        'nothing changes',
        async () => {
          const now = await everything();
          const isSame = now === before;
          before = now;
          if (!isSame) await pause(STILL);
          return isSame;
        },
        STILL_WITHIN,
      );
    },

    /** Its answers in our form: event ids and positions are derived from the events' content. */
    async snapshot(writes: Write[]): Promise<Snapshot> {
      const events: LogEvent[] = await body(`${url('event-bus')}/events`);
      const comments: Snapshot['comments'] = [];
      for (const postId of new Set(writes.flatMap((write) => write.postId ?? [])))
        for (const comment of await body(`${url('comments')}/posts/${postId}/comments`))
          comments.push({ ...comment, postId, seq: comments.length });
      const posts: Snapshot['query'] = Object.values(await body(`${url('query')}/posts`));
      return {
        log: events.map((event, index) => ({
          ...event,
          position: index + 1,
          source: 'classic',
          id: `${event.data.id}/${event.type}`,
        })),
        seen: new Map(),
        posts: Object.values(await body(`${url('posts')}/posts`)),
        comments,
        query: posts.map((post) => ({ ...post, commentCount: post.comments.length })).reverse(),
        subscriptions: [],
        deadLetters: [],
        verdict: { ok: true },
      };
    },
  };
}
