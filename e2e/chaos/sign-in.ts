// Sign-in during a chaos run: the writers' sessions, and the comparison of the authors afterwards.
import type { Snapshot, Violation, Write } from '../lib/checker.ts';
import { request, until } from '../lib/http.ts';

/** The users of the issuer to play with: writer n is the one whose index is n's remainder. */
const USERS = [
  { user: 'ada', name: 'Ada Lovelace' },
  { user: 'grace', name: 'Grace Hopper' },
] as const;
/** The user who signs in in the browser. */
export const TYPIST = USERS[0].name;
const REDIRECTS = 10;
const EXAMPLES = 3;

const userOf = (writer: number) => USERS[writer % USERS.length] as (typeof USERS)[number];

/** Signs the writers' users in, as a browser does; resolves to a function that gives a writer's cookie. */
export async function signInWriters(blog: string): Promise<(writer: number) => string> {
  // The issuer may start later than auth.
  const signedIn = ({ user }: { user: string }) => until(`${user} is signed in`, () => signIn(`${blog}/login`, user));
  const cookies = await Promise.all(USERS.map(signedIn));
  return (writer) => cookies[writer % USERS.length] as string;
}

/** Follows the redirects to the issuer and back. All hosts are this machine, so one set of cookies does for both. */
async function signIn(login: string, user: string): Promise<string> {
  const cookies = new Map<string, string>();
  let method = 'GET';
  for (let url = login, n = 0; n < REDIRECTS; n++) {
    const cookie = Array.from(cookies, ([name, value]) => `${name}=${value}`).join('; ');
    const { status, headers, body } = await request(url, { method, headers: { cookie } });
    for (const given of headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(given) ?? [];
      cookies.set(name, value);
    }
    const session = cookies.get('__Host-session');
    if (session) return `__Host-session=${session}`;
    const [button] = new RegExp(`/choose/[\\w-]+/${user}`).exec(body) ?? [];
    const next = status === 200 ? button : headers.get('location');
    if (!next) throw new Error(`${url} answered ${status} to a sign-in`);
    method = status === 200 ? 'POST' : 'GET';
    url = new URL(next, url).href;
  }
  throw new Error(`the sign-in at ${login} goes round in circles`);
}

/** Finds posts and comments whose author is another than their writer, at query and in the log. */
export function checkAuthors(writes: Write[], { query, log }: Snapshot): Violation[] {
  const authors = new Map(writes.map(({ text }) => [text, /of writer (\d+)/.exec(text)?.[1]]));
  type Item = { title?: string; content?: string; author?: { name: string } };
  const items: Item[] = [
    ...query,
    ...query.flatMap(({ comments }) => comments),
    ...log.filter(({ type }) => /^(Post|Comment)Created$/.test(type)).map(({ data }) => data),
  ];
  const wrong = items.flatMap((item) => {
    const text = item.title ?? item.content ?? '';
    const writer = authors.get(text);
    const name = writer === undefined ? TYPIST : userOf(Number(writer)).name;
    return item.author?.name === name ? [] : `"${text.slice(0, 60)}" is by ${item.author?.name}, not by ${name}`;
  });
  return wrong.length > 0 ? [{ kind: 'author', count: wrong.length, at: {}, examples: wrong.slice(0, EXAMPLES) }] : [];
}
