import { backoffMs } from '../shared/backoff.ts';
import { RequestError } from '../shared/http.ts';

type Options = {
  /** Sends the request, always with the same Idempotency-Key, so that repeating it is safe. `signal` aborts it. */
  send: (signal: AbortSignal) => Promise<void>;
  /** Called before each attempt. */
  onTry: () => void;
  /** Called after a failed attempt that will be repeated. */
  onFailure: (failure: RequestError) => void;
  /** Called once the request was acknowledged, or refused for good. Nothing more is sent. */
  onEnd: (refusal: unknown) => void;
};

/**
 * Retries a request until it is answered. Without an answer, or with a 5xx, it may or may not have been carried out; a
 * 429 says that it was not. It is repeated after `Retry-After` plus jitter, without a limit. `navigator.onLine` is
 * ignored, because a blog on the same machine works without a network. Returns a function that cancels: afterwards
 * nothing is sent and no callback is called.
 */
export function sendUntilAnswered({ send, onTry, onFailure, onEnd }: Options): () => void {
  const ending = new AbortController();
  const { signal } = ending;
  let failures = 0;
  // Deferred, because React's strict mode runs every effect, cleans it up at once, and runs it again.
  let timer = setTimeout(sendOnce);

  async function sendOnce() {
    onTry();
    const failure: unknown = await send(signal).catch((error) => error);
    if (signal.aborted) return;
    if (!mayPass(failure)) return onEnd(failure);
    onFailure(failure);
    const wait = (failure.retryAfterMs ?? 0) + backoffMs(failures++);
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
