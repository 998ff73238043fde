import axios from 'axios';
import { agents } from './agents.ts';

export type Answer = { status: number; headers: Record<string, unknown>; body: unknown };
type Request = {
  method: 'GET' | 'POST';
  url: string;
  headers?: Record<string, string | undefined>;
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

/**
 * One exchange between parts. Redirects are answers like any other and never followed; a body that is JSON comes parsed,
 * any other as undefined.
 * @throws when refused, reset, too slow or too large
 */
export async function exchange({ deadline = 10_000, limit = 64 * 1024, ending, ...request }: Request): Promise<Answer> {
  const { method, url, headers, body } = request;
  const signal = AbortSignal.any([AbortSignal.timeout(deadline), ...(ending ? [ending] : [])]);
  const answer = await client.request({ method, url, headers, data: body, signal, maxContentLength: limit });
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
  axios.isCancel(error) ? 'no answer in time' : ((error as { code?: string }).code ?? String(error));
