// Sign-in at the gateway: writes are checked at auth first.

import type { IncomingHttpHeaders } from 'node:http';
import { exchange, isSuccess } from '@blog/common/core/exchange.ts';

const AWAY = { status: 503, detail: 'auth is not answering. Try again in a moment.', headers: { 'Retry-After': '1' } };
const SIGNED_OUT = { status: 401, detail: 'Sign in to write. What you read needs no sign-in.' };

/**
 * Exchanges the session that a cookie names for a token for one part, which is then the `Authorization` of the headers. Takes
 * at most five seconds.
 * @returns the answer to the client if there is no token: 401 without a session, 503 while auth is away
 */
export async function authorize(headers: IncomingHttpHeaders, cookie: string | undefined, url: string, part: string) {
  const { traceparent } = headers as Record<string, string | undefined>;
  const asked = { url: new URL(`/token?audience=${part}`, url).href, headers: { cookie, traceparent } };
  const answer = await exchange({ method: 'GET', ...asked, deadline: 5_000 }).catch(() => undefined);
  const { authorization, 'www-authenticate': challenge } = answer?.headers ?? {};
  if (answer?.status === 401) return { ...SIGNED_OUT, headers: challenge ? { 'WWW-Authenticate': challenge } : {} };
  if (!answer || !isSuccess(answer)) return AWAY;
  if (authorization) headers.authorization = authorization;
}
