import axios from 'axios';
import { agents } from './agents.ts';

/** Where the bus is, and the token that it and the services know each other by. */
export type Bus = { url: string; token?: string };

export type Answer = { status: number; headers: Record<string, unknown>; body: unknown };
type Request = {
  method: 'GET' | 'POST';
  url: string;
  headers?: Record<string, string | undefined>;
  /** Sent as a bearer token (RFC 6750 §2.1). */
  token?: string;
  body?: string;
  /** How long the exchange may take, the answer's body included, in milliseconds. */
  deadline?: number;
  /** Ends the exchange early. */
  ending?: AbortSignal;
  /** How much of the answer is read, in bytes. */
  limit?: number;
};

const client = axios.create({
  ...agents,
  maxRedirects: 0,
  proxy: false,
  decompress: false,
  responseType: 'text',
  transformResponse: (text) => text,
  transformRequest: (body) => body,
  validateStatus: () => true,
});

/** Why there was no answer. Not axios's own error: that one carries the whole request, and its token, into a log. */
class NoAnswer extends Error {}

/**
 * One exchange between parts. Redirects are answers like any other and never followed; a body that is JSON comes parsed,
 * any other as undefined.
 * @throws NoAnswer when refused, reset, too slow or too large
 */
export async function exchange({ deadline = 10_000, limit = 64 * 1024, ending, ...request }: Request): Promise<Answer> {
  const { method, url, token, body } = request;
  const headers = { ...request.headers, authorization: token && `Bearer ${token}` };
  const signal = AbortSignal.any([AbortSignal.timeout(deadline), ...(ending ? [ending] : [])]);
  const sent = client.request({ method, url, headers, data: body, signal, maxContentLength: limit });
  const answer = await sent.catch((error) => {
    throw new NoAnswer(axios.isCancel(error) ? 'no answer in time' : (error.code ?? error.message));
  });
  // Who refuses may not be who was meant: an open connection leads to where its name led when it was opened. The next
  // attempt opens a new one.
  if (answer.status >= 400) answer.request.socket?.destroy();
  return { status: answer.status, headers: answer.headers, body: parseJson(answer.data) };
}

function parseJson(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return undefined;
  }
}

/** The reason that an exchange failed for, in one short line. */
export const reason = (error: unknown): string =>
  error instanceof NoAnswer ? error.message : ((error as { code?: string }).code ?? String(error));
