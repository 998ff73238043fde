// The names of copies, and `SUBSCRIPTIONS`. `posts-1` is copy 1 of the service `posts`. One that runs alone may be called
// `posts`, and is copy 0.
import { httpUrl } from '@blog/common/run/config.ts';
import { z } from 'zod';

/** The service and the ordinal that a name says. */
export function copyOf(name: string): { service: string; ordinal: number } {
  const [, service = name, ordinal = 0] = /^(.+)-(0|[1-9]\d{0,3})$/.exec(name) ?? [];
  return { service, ordinal: Number(ordinal) };
}

/** True for two names of one copy: `posts` and `posts-0`. */
export function isSameCopy(a: string, b: string): boolean {
  const [one, other] = [copyOf(a), copyOf(b)];
  return one.service === other.service && one.ordinal === other.ordinal;
}

/** A subscription that is configured; or, with `*` for the ordinal in name and host, a pattern for all copies of a service. */
export type Configured = { name: string; url: string };

export const isPattern = ({ name }: Configured): boolean => name.endsWith('-*');

/** The copy of a pattern with this ordinal; any other entry as it is. */
export const copyAt = ({ name, url }: Configured, ordinal: number): Configured => ({
  name: name.replace('*', `${ordinal}`),
  url: url.replaceAll('*', `${ordinal}`),
});

/** The copy of this name, or of another name of that copy, as an entry configures it; undefined if it does not. */
export function configuredBy(entry: Configured, name: string): Configured | undefined {
  const copy = copyAt(entry, copyOf(name).ordinal);
  return isSameCopy(copy.name, name) ? copy : undefined;
}

const isValid = (entry: Configured): boolean =>
  /^[\w.-]{1,50}$/.test(entry.name.replace(/-\*$/, '-0')) &&
  httpUrl.safeParse(copyAt(entry, 0).url).success &&
  (!isPattern(entry) || /^https?:\/\/[^:/?#]*\*/.test(entry.url));

/** True if two entries have the same copy, or the same address, at an ordinal that one of them names. */
const isTwice = (a: Configured, b: Configured): boolean =>
  [a, b].some(({ name }) => {
    const [one, other] = [a, b].map((entry) => copyAt(entry, copyOf(name).ordinal)) as [Configured, Configured];
    return isSameCopy(one.name, other.name) || new URL(one.url).href === new URL(other.url).href;
  });

/** `SUBSCRIPTIONS`: `name=url,name=url`, never taken from a request; names and addresses are unique. */
export const subscriptionList = z.string().transform((text, context) => {
  const list = text.split(',').map((entry): Configured => {
    const at = entry.indexOf('=');
    return { name: entry.slice(0, at).trim(), url: entry.slice(at + 1).trim() };
  });
  if (list.every(isValid) && !list.some((a, i) => list.slice(i + 1).some((b) => isTwice(a, b)))) return list;
  context.addIssue({
    code: 'custom',
    message:
      'must be name=url,name=url with names and http addresses that differ; copies as posts-*=http://posts-*.posts:4000/events',
  });
  return z.NEVER;
});
