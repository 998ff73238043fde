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

/** The copy of a pattern with this ordinal. */
export const copyAt = ({ name, url }: Configured, ordinal: number): Configured => ({
  name: name.replace('*', `${ordinal}`),
  url: url.replaceAll('*', `${ordinal}`),
});

/** True if the subscription of this name, or of another name of that copy, is configured by this entry. */
export const covers = (entry: Configured, name: string): boolean =>
  isSameCopy(isPattern(entry) ? copyAt(entry, copyOf(name).ordinal).name : entry.name, name);

const isValid = (entry: Configured): boolean =>
  /^[\w.-]{1,50}$/.test(entry.name.replace(/-\*$/, '-0')) &&
  httpUrl.safeParse(copyAt(entry, 0).url).success &&
  (!isPattern(entry) || /^https?:\/\/[^:/?#]*\*/.test(entry.url));

/** True if two entries name the same copy or the same address. */
const isTwice = (a: Configured, b: Configured): boolean => {
  const { ordinal } = copyOf(b.name);
  return covers(a, copyAt(b, 0).name) || new URL(copyAt(a, ordinal).url).href === new URL(copyAt(b, ordinal).url).href;
};

/** `SUBSCRIPTIONS`: `name=url,name=url`, never taken from a request; names and addresses are unique. */
export const subscriptionList = z.string().transform((text, context) => {
  const list = text.split(',').map((entry): Configured => {
    const at = entry.indexOf('=');
    return { name: entry.slice(0, at).trim(), url: entry.slice(at + 1).trim() };
  });
  if (list.every(isValid) && !list.some((a) => list.some((b) => a !== b && isTwice(a, b)))) return list;
  context.addIssue({
    code: 'custom',
    message:
      'must be name=url,name=url with names and http addresses that differ; copies as posts-*=http://posts-*.posts:4000/events',
  });
  return z.NEVER;
});
