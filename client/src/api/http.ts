const TIMEOUT_MS = 15_000;

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

/** Sends one request to the page's own origin. Throws RequestError unless it was answered with a 2xx. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { cache: 'no-store', ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    throw new RequestError(error instanceof Error ? error.message : 'no answer');
  }
  if (response.ok) return response;
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  throw new RequestError(
    await problemText(response),
    response.status,
    Number.isFinite(seconds) ? seconds * 1000 : undefined,
  );
}

/** RFC 9457: the field's own message says most, then `detail`; an answer that is no problem document says nothing. */
async function problemText(response: Response): Promise<string> {
  if (!response.headers.get('content-type')?.includes('json')) return '';
  const body: ProblemBody | null = await response.json().catch(() => null);
  const field = body?.errors?.find((error) => error.detail ?? error.rule);
  return field?.detail ?? field?.rule ?? body?.detail ?? '';
}
