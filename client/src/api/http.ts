import axios, { type AxiosRequestConfig, type AxiosResponse } from 'axios';

/** Everything goes to the page's own origin. */
export const client = axios.create({ timeout: 15_000 });

type ProblemBody = { detail?: string; errors?: { field?: string; detail?: string; rule?: string }[] };

/** What a request came to when it was not a success. `status` is undefined if there was no answer at all. */
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

/** Sends one request. Throws RequestError unless it was answered with a 2xx. */
export async function request<Body>(config: AxiosRequestConfig): Promise<AxiosResponse<Body>> {
  try {
    return await client.request<Body>(config);
  } catch (error) {
    const response = axios.isAxiosError(error) ? error.response : undefined;
    if (!response) throw new RequestError(error instanceof Error ? error.message : 'no answer');
    const seconds = Number(response.headers['retry-after'] ?? Number.NaN);
    const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : undefined;
    throw new RequestError(problemText(response.data), response.status, retryAfterMs);
  }
}

/** RFC 9457: the field's own message says most, then `detail`; an answer that is no problem document says nothing. */
function problemText(body: ProblemBody | undefined): string {
  const field = body?.errors?.find((error) => error.detail ?? error.rule);
  return field?.detail ?? field?.rule ?? body?.detail ?? '';
}
