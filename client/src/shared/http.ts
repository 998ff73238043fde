// Sends the page's requests and turns failures into one type of error.

import axios, { type AxiosRequestConfig } from 'axios';
import { fieldsOf, itemsOf, textOf } from './parse.ts';

/** All requests go to the page's own origin. */
export const client = axios.create({ timeout: 15_000 });

/** The cap on `Retry-After`. */
const LONGEST_WAIT_MS = 60_000;

/** A failed request. `status` is undefined if there was no answer, or none that could be read. */
export class RequestError extends Error {
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, status?: number, retryAfterMs?: number) {
    super(message);
    this.name = 'RequestError';
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

type Answer = { data: unknown; headers: Readonly<Record<string, unknown>> };

/** Sends one request. Throws RequestError unless it was answered with a 2xx. */
export async function request(config: AxiosRequestConfig): Promise<Answer> {
  try {
    return await client.request<unknown>(config);
  } catch (error) {
    const response = axios.isAxiosError(error) ? error.response : undefined;
    if (!response) throw new RequestError(error instanceof Error ? error.message : 'no answer');
    const seconds = Number(response.headers['retry-after'] ?? Number.NaN);
    const retryAfterMs = seconds > 0 ? Math.min(seconds * 1_000, LONGEST_WAIT_MS) : undefined;
    throw new RequestError(problemText(response.status, response.data), response.status, retryAfterMs);
  }
}

/** Reads JSON. Throws RequestError also for an answer that is not an object or array, such as an HTML page. */
export async function read(config: AxiosRequestConfig): Promise<Answer> {
  const answer = await request(config);
  if (typeof answer.data !== 'object' || answer.data === null) throw new RequestError('the answer cannot be read');
  return answer;
}

/** Checks the header `Link` (RFC 8288) for a next page. */
export const hasNext = ({ link }: Answer['headers']): boolean => /;\s*rel="?next"?/i.test(String(link ?? ''));

/**
 * The most helpful sentence of a problem document (RFC 9457): for invalid input (400) the field's message, else
 * `detail`. Empty for any other document.
 */
function problemText(status: number, body: unknown): string {
  const { errors, detail } = fieldsOf(body);
  const [text] = itemsOf(errors, (error) => textOf(fieldsOf(error).detail) ?? textOf(fieldsOf(error).rule));
  return (status === 400 && text) || (textOf(detail) ?? text ?? '');
}
