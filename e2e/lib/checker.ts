// Checks the invariants of a blog after faults, once it has caught up: compares the answers that callers got with the
// log, with every service's answers, and with the read model rebuilt from the log.
import { get, type Post, pages, readModel } from './http.ts';
import type { System } from './system.ts';

/**
 * A write as its caller knows it. Its text (title or content) is unique, so it is found without an id. `unknown`: never
 * answered, or only with a 5xx; `refused`: answered only with 4xx.
 */
export type Write = {
  kind: 'post' | 'comment';
  text: string;
  key: string;
  outcome: 'acknowledged' | 'refused' | 'unknown';
  id?: string;
  postId?: string;
};

export type LogEvent = {
  position: number;
  source: string;
  id: string;
  type: string;
  data: { id: string; postId?: string; title?: string; content?: string; status?: string };
};
type OwnPost = { id: string; title: string };
type OwnComment = { id: string; postId: string; content: string; status: string; seq: number };

/** The state of a blog: the log, and the answers of every service. */
export type Snapshot = {
  log: LogEvent[];
  /** The events that readers saw, by position. */
  seen: Map<number, string>;
  posts: OwnPost[];
  comments: OwnComment[];
  /** Query's own order: newest post first, oldest comment first. */
  query: Post[];
  subscriptions: { name: string; state: string; lag: number }[];
  deadLetters: object[];
  /** The bus's verification of its log's checksums. */
  verdict: { ok: boolean; position?: number; reason?: string };
};

export type Kind =
  | 'lost'
  | 'duplicated'
  | 'wrong'
  | 'pending'
  | 'refused but present'
  | 'never written'
  | 'services disagree'
  | 'log'
  | 'order'
  | 'count'
  | 'not rebuilt'
  | 'lag'
  | 'dead letter'
  /** Found by comparing the copies of a part. */
  | 'copies differ'
  /** Found by a person at the page, not by the checker. */
  | 'page'
  /** Found with sign-in: a session that was lost, or another author than the writer. */
  | 'session'
  | 'author';
/** `count`: the number of writes or events; `at`: their number for each place, if there is one. */
export type Violation = { kind: Kind; count: number; at: Record<string, number>; examples: string[] };

const EXAMPLES = 3;
const PAGE = 5_000;
const AT_ONCE = 16;

/** A reader's memory of an event, to detect any change of it. */
export const fingerprint = ({ source, id, data }: LogEvent): string => `${source} ${id} ${JSON.stringify(data)}`;

/** Reads the log after a position, page by page. */
export async function* readLog(bus: string, after = 0): AsyncGenerator<LogEvent[]> {
  for (let position = after; ; ) {
    const { body }: { body: LogEvent[] } = await get(`${bus}/events?after=${position}&limit=${PAGE}`);
    if (body.length > 0) yield body;
    if (body.length < PAGE) return;
    position = body.at(-1)?.position as number;
  }
}

/** Reads the state of all parts. */
export async function takeSnapshot(system: Pick<System, 'url'>, seen = new Map<number, string>()): Promise<Snapshot> {
  const bus = system.url('event-bus');
  const log: LogEvent[] = [];
  for await (const page of readLog(bus)) log.push(...page);
  const posts: OwnPost[] = (await pages(`${system.url('posts')}/posts`)).flatMap((page) => Object.values(page));
  const comments: OwnComment[] = [];
  const rest = posts.values();
  const ask = async () => {
    for (const { id } of rest) {
      const found = (await pages(`${system.url('comments')}/posts/${encodeURIComponent(id)}/comments`)).flat();
      comments.push(...found.map((comment) => ({ ...comment, postId: id })));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, ask));
  return {
    log,
    seen,
    posts,
    comments: comments.sort((a, b) => a.seq - b.seq),
    query: await readModel(system.url('query')),
    subscriptions: (await get(`${bus}/subscriptions`)).body,
    deadLetters: (await pages(`${bus}/dead-letters`)).flat(),
    verdict: (await get(`${bus}/log/verify`)).body,
  };
}

type Built = { id: string; title?: string; comments: { id: string; content?: string; status: string }[] };

/**
 * The read model as the log defines it, in query's order. A comment is shown with its post, in whichever order the two
 * came.
 */
export function rebuild(log: LogEvent[]): Built[] {
  const posts = new Map<string, Built>();
  const comments = new Map<string, Built['comments'][number] & { postId?: string }>();
  for (const { type, data } of log) {
    if (type === 'PostCreated' && !posts.has(data.id))
      posts.set(data.id, { id: data.id, title: data.title, comments: [] });
    if (type !== 'CommentCreated' && type !== 'CommentUpdated') continue;
    const { id, postId, content } = data;
    const status = (type === 'CommentUpdated' && data.status) || 'pending';
    const known = comments.get(id);
    if (!known) comments.set(id, { id, postId, content, status });
    else if (known.status === 'pending') known.status = status;
  }
  for (const { postId = '', ...comment } of comments.values()) posts.get(postId)?.comments.push(comment);
  return [...posts.values()].reverse();
}

const normalize = (text: string) => text.normalize('NFKC').toLowerCase();

type Rules = {
  bannedWords?: string[];
  /** Each owner is one process, so all of its events are in the order of its database. Copies keep only their own order. */
  oneCopy?: boolean;
};

/** Finds all violations of the invariants. */
export function check(
  writes: Write[],
  snapshot: Snapshot,
  { bannedWords = ['orange'], oneCopy = true }: Rules = {},
): Violation[] {
  const { log, seen, posts, comments, query, subscriptions, deadLetters, verdict } = snapshot;
  /** Violations by kind and place. */
  const found = new Map<Kind, Map<string, Set<string>>>();
  function violated(kind: Kind, what: string, place?: string): void {
    const same = found.get(kind) ?? new Map<string, Set<string>>();
    const places = same.get(what) ?? new Set();
    if (place) places.add(place);
    same.set(what, places);
    found.set(kind, same);
  }
  const judge = (text: string) =>
    bannedWords.some((word) => normalize(text).includes(normalize(word))) ? 'rejected' : 'approved';

  // The log: no gap, one entry for each source and id, and no event that a reader saw differently.
  const entries = new Map<string, number>();
  log.forEach((event, index) => {
    const { position, source, id } = event;
    if (position !== index + 1) violated('log', `position ${position} in place ${index + 1}`);
    const first = entries.get(`${source} ${id}`);
    if (first) violated('duplicated', `${source} ${id} at positions ${first} and ${position} of the log`);
    else entries.set(`${source} ${id}`, position);
  });
  if (!verdict.ok) violated('log', `position ${verdict.position}: ${verdict.reason}`);
  for (const [position, was] of seen) {
    const event = log[position - 1];
    if (!event || fingerprint(event) !== was) violated('log', `position ${position} was ${was} when it was read`);
  }

  // Order: each owner's events as in its database, verdicts as the comments, updates as the verdicts.
  const subjects = (type: string) => log.filter((event) => event.type === type).map(({ data }) => data.id);
  const sameOrder = (what: string, are: string[], wanted: string[]) => {
    const place = wanted.findIndex((id, index) => are[index] !== id);
    if (place >= 0 || are.length > wanted.length)
      violated('order', `${what}: ${are[place] ?? 'nothing'} in place ${place + 1} of ${wanted.length}`);
  };
  const ids = (items: { id: string }[]) => items.map(({ id }) => id);
  const created = subjects('CommentCreated');
  const same = (what: string, are: string[], wanted: string[]) =>
    oneCopy ? sameOrder(what, are, wanted) : sameOrder(what, are.toSorted(), wanted.toSorted());
  same('PostCreated against posts', subjects('PostCreated'), ids(posts));
  same('CommentCreated against comments', created, ids(comments));
  same('CommentModerated against CommentCreated', subjects('CommentModerated'), created);
  same('CommentUpdated against CommentCreated', subjects('CommentUpdated'), created);
  sameOrder('query against the log', ids(query), subjects('PostCreated').reverse());

  // Query equals the read model rebuilt from the log.
  const rebuilt = new Map(rebuild(log).map((post) => [post.id, post]));
  for (const { id, title, comments, commentCount } of query) {
    const wanted = rebuilt.get(id);
    const shown = comments.map(({ id, content, status }) => ({ id, content, status }));
    if (commentCount !== comments.length || commentCount !== wanted?.comments.length)
      violated('count', `post ${id}: commentCount ${commentCount}, ${wanted?.comments.length} in the log`);
    if (!wanted || wanted.title !== title || JSON.stringify(wanted.comments) !== JSON.stringify(shown))
      violated('not rebuilt', `post ${id} is not what the log gives`);
  }

  // The items at their owner and at query, by id and by text.
  type Item = { id: string; postId?: string; text: string; status?: string };
  const own: Item[] = [
    ...posts.map(({ id, title }) => ({ id, text: title })),
    ...comments.map(({ id, postId, content, status }) => ({ id, postId, text: content, status })),
  ];
  const shown: Item[] = query.flatMap(({ id: postId, title, comments }) => [
    { id: postId, text: title },
    ...comments.map(({ id, content, status }) => ({ id, postId, text: content, status })),
  ]);
  const inLog: Item[] = log
    .filter(({ type }) => type === 'PostCreated' || type === 'CommentCreated')
    .map(({ data }) => ({ id: data.id, postId: data.postId, text: data.title ?? data.content ?? '' }));
  const places = { owner: own, query: shown, log: inLog };
  const texts = new Map(writes.map((write) => [write.text, write]));
  for (const [place, items] of Object.entries(places)) {
    const byId = Map.groupBy(items, ({ id }) => id);
    const byText = Map.groupBy(items, ({ text }) => text);
    for (const [id, { length }] of byId) if (length > 1) violated('duplicated', `${id} is there more than once`, place);
    for (const [text, same] of byText) {
      const all = new Set(ids(same));
      if (all.size > 1 && texts.has(text)) violated('duplicated', `"${text}" has several ids`, place);
    }
    for (const { kind, outcome, id, postId, text } of writes) {
      if (outcome === 'refused' && byText.has(text)) violated('refused but present', `${kind} "${text}"`, place);
      if (outcome !== 'acknowledged') continue;
      const item = byId.get(id as string)?.[0];
      if (!item) violated('lost', `${kind} "${text}"`, place);
      else if (item.text !== text || item.postId !== postId)
        violated('wrong', `${kind} ${id} is "${item.text}" on ${item.postId}, not "${text}" on ${postId}`, place);
    }
    for (const { id, text, status } of items) {
      if (!texts.has(text)) violated('never written', `${id} "${text}"`, place);
      if (status === 'pending') violated('pending', `comment ${id}`, place);
      else if (status && status !== judge(text)) violated('wrong', `comment ${id} "${text}" is ${status}`, place);
    }
  }
  const atQuery = new Map(shown.map((item) => [item.id, item]));
  for (const { id, status } of own) {
    const other = atQuery.get(id);
    if (!other || other.status !== status) violated('services disagree', `${id}: ${status}, at query ${other?.status}`);
    atQuery.delete(id);
  }
  for (const id of atQuery.keys()) violated('services disagree', `${id} is only at query`);

  // Writes with the same key are one write.
  for (const [key, same] of Map.groupBy(writes, ({ key }) => key)) {
    const all = new Set(same.flatMap(({ id }) => id ?? []));
    if (all.size > 1) violated('duplicated', `key ${key} made ${[...all].join(', ')}`);
  }

  for (const { name, state, lag } of subscriptions)
    if (state !== 'live' || lag !== 0) violated('lag', `${name} is ${state}, ${lag} behind`);
  for (const letter of deadLetters) violated('dead letter', JSON.stringify(letter));
  return Array.from(found, ([kind, same]) => {
    const at: Violation['at'] = {};
    for (const places of same.values()) for (const place of places) at[place] = (at[place] ?? 0) + 1;
    const examples = [...same].slice(0, EXAMPLES).map(([what, places]) => [what, ...places].join(', at '));
    return { kind, count: same.size, at, examples };
  });
}
