// Compares the copies of every service, and of the bus's log, once a system of copies is quiet.
import { get, readModel, until } from './http.ts';
import type { System } from './system.ts';

/** The addresses of one copy of each part: pages of a list, and answers that are compared, come from one database. */
export const oneOfEach = (system: System): Pick<System, 'url'> => ({
  url: (part) => system.url(system.copiesOf(part)[0] ?? part),
});

/** The whole list at one address, page after page, as the bytes that a caller gets. */
async function listAt(first: string): Promise<string> {
  let bytes = '';
  for (let url: string | undefined = first; url; ) {
    const answer = await fetch(url);
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`${url} answered ${answer.status} ${text}`);
    bytes += text;
    const next: string | undefined = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1];
    url = next && new URL(next, url).href;
  }
  return bytes;
}

/** The answer of each copy of a part, in a form that must be the same for all of them. */
const SAYS: Record<string, (system: System, name: string) => Promise<unknown>> = {
  // The read model to the byte, sequence numbers included: they follow the log.
  async query(system, name) {
    const posts = await readModel(system.url(name));
    return [await listAt(`${system.url(name)}/posts?limit=1000`), JSON.stringify(posts)];
  },
  // Each copy lists in the order in which it heard, so these are compared by id.
  async posts(system, name) {
    return system.rows(name, 'SELECT id, title, createdAt FROM posts ORDER BY id').map((row) => ({ ...row }));
  },
  async comments(system, name) {
    return system.rows(name, 'SELECT id, postId, content, status FROM comments ORDER BY id').map((row) => ({ ...row }));
  },
  async 'event-bus'(system, name) {
    return system.rows(name, 'SELECT position, checksum FROM events ORDER BY position').map((row) => ({ ...row }));
  },
};

/** The copies that differ from the first of their part, each with the first difference; empty if all are equal. */
export async function differences(system: System): Promise<string[]> {
  const found: string[] = [];
  for (const [part, say] of Object.entries(SAYS)) {
    const [first = '', ...others] = system.copiesOf(part);
    if (others.length === 0) continue;
    const wanted = JSON.stringify(await say(system, first));
    for (const name of others) {
      const said = JSON.stringify(await say(system, name));
      if (said === wanted) continue;
      const at = [...wanted].findIndex((char, index) => char !== said[index]);
      found.push(
        `${name} from ${first} at ${at}: ${said.slice(at - 40, at + 80)} instead of ${wanted.slice(at - 40, at + 80)}`,
      );
    }
  }
  return found;
}

/** The bus's report on its quorum. */
export type Quorum = {
  leader: string | null;
  copies: string[];
  nodes: { name: string; leader: boolean; current: boolean; offline: boolean }[];
};

/** The report of one copy of the bus; undefined if the copy has none. */
export const quorumBy = async (system: System, copy: string): Promise<Quorum | undefined> =>
  (await get(`${system.url(copy)}/readyz`)).body?.quorum;

/** Waits until the bus has a leader, and all nodes are current; resolves to the report. */
export const quorum = (system: System): Promise<Quorum> =>
  until('a leader of the bus, and all nodes current', async () => {
    const [report, ...others] = await Promise.all(system.copiesOf('event-bus').map((name) => quorumBy(system, name)));
    if (!report?.leader || others.some((other) => other?.leader !== report.leader)) return undefined;
    const { nodes } = report;
    const isWhole = nodes.length === 3 && nodes.every(({ current, offline }) => current && !offline);
    return isWhole && nodes.some(({ leader }) => leader) && report;
  });
