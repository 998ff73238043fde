// The blog of a lesson: the bus, posts and query of a step, with comments and moderation of the classic version.
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { HOST, root } from '../../scripts/lib/part-process.ts';
import { freePorts } from '../../scripts/lib/port-use.ts';
import { STEPS, type Step } from '../steps.ts';
import { createProgram, type Program } from './processes.ts';
import { type Event, startProxy } from './proxy.ts';

const SERVICES = ['posts', 'comments', 'query', 'moderation'] as const;
export type Name = 'bus' | (typeof SERVICES)[number];

export type Item = { name: string; status?: string };
export type Blog = Awaited<ReturnType<typeof createBlog>>;

/** The file of a part in a step: the last step has only what differs from the one before. */
function fileOf(step: Step, part: Name): string {
  const own = STEPS.filter(({ number }) => number <= step.number).toReversed();
  const files = own.map(({ folder }) => `${folder}/${part}.ts`);
  const found = files.find((file) => existsSync(join(root, file)));
  if (!found) throw new Error(`there is no ${part}.ts in ${step.folder}`);
  return found;
}

/** Prepares the programs of a step on free ports; none runs yet. Data is in `folder`. `env`: more settings of the bus. */
export async function createBlog(step: Step, folder: string, env: NodeJS.ProcessEnv = {}) {
  const ports = await freePorts(SERVICES.length + 1);
  const programs = new Map<Name, Program>();
  const programOf = (name: Name) => programs.get(name) as Program;
  const proxy = await startProxy((name) => programOf(name as Name).port);

  for (const [index, name] of (['bus', ...SERVICES] as const).entries()) {
    const isClassic = name === 'comments' || name === 'moderation';
    const settings =
      name === 'bus'
        ? { SUBSCRIBERS: SERVICES.map((service) => `${proxy.url('bus', service)}/events`).join(','), ...env }
        : { EVENT_BUS_URL: proxy.url(name, 'bus') };
    const file = isClassic ? `bench/naive/${name}.ts` : fileOf(step, name);
    programs.set(name, createProgram(name, file, ports[index] as number, join(folder, name), settings));
  }

  async function call(name: Name, path: string, body?: object): Promise<unknown> {
    const failure = [...programs.values()].map((program) => program.failure()).find(Boolean);
    if (failure) throw new Error(failure);
    const answer = await fetch(`http://${HOST}:${programOf(name).port}${path}`, {
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
      // A connection each: none is left over from a process that was killed.
      headers: { 'content-type': 'application/json', connection: 'close' },
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${programOf(name).file} answered ${answer.status}`);
    return text && JSON.parse(text);
  }

  return {
    step,
    proxy,

    /** Starts all programs; resolves once each one answers. */
    async start(): Promise<void> {
      await Promise.all([...programs.values()].map((program) => program.start()));
    },
    async stop(): Promise<void> {
      await Promise.all([...programs.values()].map((program) => program.end()));
      proxy.close();
    },
    kill: (name: Name) => programOf(name).kill(),
    restart: async (name: Name) => {
      await programOf(name).kill();
      await programOf(name).start();
    },
    /** Deletes all files of a part that does not run. */
    wipe: (name: Name) => rmSync(programOf(name).folder, { recursive: true, force: true, maxRetries: 5 }),

    createPost: async (title: string) => (await call('posts', '/posts', { title })) as { id: string },
    createComment: (postId: string, content: string) => call('comments', `/posts/${postId}/comments`, { content }),
    /** Publishes an event as another service would. */
    publish: (event: Event) => call('bus', '/events', event),

    /** All that posts has stored. */
    storedPosts: async (): Promise<Item[]> => namesOf((await call('posts', '/posts')) as Shown),
    /** All that comments has stored. */
    storedComments: async (postId: string) => {
      const comments = (await call('comments', `/posts/${postId}/comments`)) as Comment[];
      return comments.map(({ content, ...comment }) => ({ ...comment, name: content }));
    },
    /** The posts that query shows. */
    shownPosts: async () => namesOf((await call('query', '/posts')) as Shown),
    /** The comments of a post that query shows. */
    shownComments: async (postId: string): Promise<Item[]> => {
      const posts = (await call('query', '/posts')) as Shown;
      return (posts[postId]?.comments ?? []).map(({ content, status }) => ({ name: content, status }));
    },

    /** Waits until a condition holds. */
    async until(what: string, check: () => Promise<boolean> | boolean): Promise<void> {
      for (const end = Date.now() + 60_000; !(await check()); await pause(30))
        if (Date.now() > end) throw new Error(`${step.folder}: ${what}: not within a minute`);
    },
  };
}

type Comment = { id: string; content: string; status: string };
type Shown = Record<string, { title: string; comments?: Comment[] }>;
const namesOf = (posts: Shown): Item[] => Object.values(posts).map(({ title }) => ({ name: title }));
