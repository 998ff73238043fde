import { backoffMs } from './backoff.ts';
import { RequestError } from './http.ts';

/** A longer Retry-After is not waited for. */
const PATIENCE_MS = 60_000;

type Options = {
  /** Sends the request, always with the same Idempotency-Key. `signal` ends it. */
  send: (signal: AbortSignal) => Promise<void>;
  /** A request is sent. */
  onTry: () => void;
  /** It came to nothing, and is sent again later. */
  onFailure: (failure: RequestError) => void;
  /** It was acknowledged, or refused for good; nothing more is sent. */
  onEnd: (refusal: unknown) => void;
};

/**
 * Sends a request until it is answered. No answer and a 5xx leave open whether it was carried out, and a 429 says that it
 * was not: it is sent again, after Retry-After and a random wait, for as long as it takes. What the browser says of its network
 * counts for nothing: a blog on the same machine answers without one.
 * Returns what ends it: afterwards nothing is sent and no one is called.
 */
export function sendUntilAnswered({ send, onTry, onFailure, onEnd }: Options): () => void {
  const ending = new AbortController();
  const { signal } = ending;
  let failures = 0;
  // Not at once: React's strict mode ends every effect right after its beginning, and begins it a second time.
  let timer = setTimeout(sendOnce);

  async function sendOnce() {
    onTry();
    const failure: unknown = await send(signal).catch((error) => error);
    if (signal.aborted) return;
    if (!mayPass(failure)) return onEnd(failure);
    onFailure(failure);
    const wait = Math.min(failure.retryAfterMs ?? 0, PATIENCE_MS) + backoffMs(failures++);
    timer = setTimeout(sendOnce, wait);
  }

  return () => {
    clearTimeout(timer);
    ending.abort();
  };
}

function mayPass(failure: unknown): failure is RequestError {
  if (!(failure instanceof RequestError)) return false;
  const { status } = failure;
  return status === undefined || status === 429 || status >= 500;
}
