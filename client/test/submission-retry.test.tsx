// Retrying a request until it is answered.

import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { createSubmissions } from '../src/blog/submissions.ts';
import { RequestError } from '../src/shared/http.ts';

const noAnswer = () => new RequestError('no answer');
const answered = (status: number, retryAfterMs?: number) => new RequestError('', status, retryAfterMs);

let sent: AbortSignal[];
/** The outcomes of the next requests; if there are none, requests hang. */
let answers: (RequestError | 'acknowledged')[];
let submissions: ReturnType<typeof createSubmissions>;

beforeEach(() => {
  jest.useFakeTimers();
  jest.spyOn(Math, 'random').mockReturnValue(0.999);
  sessionStorage.clear();
  sent = [];
  answers = [];
  submissions = createSubmissions((_form, _texts, _key, signal) => {
    sent.push(signal);
    const answer = answers.shift();
    if (answer === undefined) return new Promise(() => {});
    return answer === 'acknowledged' ? Promise.resolve() : Promise.reject(answer);
  });
});

afterEach(() => {
  submissions.stop();
  jest.restoreAllMocks();
  jest.useRealTimers();
});

async function start() {
  submissions.change('post', 'title', 'Mine');
  submissions.submit('post');
  await jest.advanceTimersByTimeAsync(0);
}

const form = () => submissions.of('post');
const isAcknowledged = () => form().draft.texts.title === undefined;

/** Advances the clock to the next request, and returns the wait in milliseconds. */
async function nextAfter(atMost = 120_000): Promise<number> {
  const before = sent.length;
  let waited = 0;
  for (; sent.length === before && waited < atMost; waited += 100) await jest.advanceTimersByTimeAsync(100);
  return waited;
}

test('no answer, a 5xx and a 429 are retried with exponential backoff, up to a maximum', async () => {
  answers = [noAnswer(), ...[500, 502, 503, 504, 507, 429].map((status) => answered(status)), 'acknowledged'];
  await start();
  const waits: number[] = [];
  while (!isAcknowledged()) waits.push(await nextAfter());
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  expect(jest.getTimerCount()).toBe(0);
});

test('the backoff has jitter, so that pages do not retry at the same moment', async () => {
  jest.spyOn(Math, 'random').mockReturnValue(0.5);
  answers = [noAnswer(), noAnswer()];
  await start();
  expect([await nextAfter(), await nextAfter()]).toEqual([300, 500]);
});

test.each([400, 401, 403, 404, 409, 413, 415, 422])('a %d is a refusal and ends it', async (status) => {
  answers = [answered(status)];
  await start();
  expect(form()).toMatchObject({ busy: false, draft: { sending: false, texts: { title: 'Mine' } } });
  expect(form().error).toBeTruthy();
  expect(jest.getTimerCount()).toBe(0);
});

test('nothing is sent before Retry-After is over', async () => {
  jest.spyOn(Math, 'random').mockReturnValue(0.2);
  answers = [answered(503, 5_000), answered(429, 7_000)];
  await start();
  expect([await nextAfter(), await nextAfter()]).toEqual([5_100, 7_200]);
});

test.each([noAnswer(), answered(503)])(
  'it is tried again after its time, whatever the browser says of its network',
  async (answer) => {
    answers = [answer];
    jest.spyOn(navigator, 'onLine', 'get').mockReturnValue(false);
    await start();
    expect(await nextAfter()).toBe(500);
  },
);

test('a hidden tab keeps retrying', async () => {
  jest.spyOn(document, 'hidden', 'get').mockReturnValue(true);
  answers = [noAnswer(), 'acknowledged'];
  await start();
  document.dispatchEvent(new Event('visibilitychange'));
  expect(await nextAfter()).toBe(500);
  expect(isAcknowledged()).toBe(true);
});

test('a request that hangs is not repeated concurrently', async () => {
  await start();
  await jest.advanceTimersByTimeAsync(600_000);
  expect(sent).toHaveLength(1);
});

test.each([
  ['before the first request', 0, []],
  ['while one is under way', 1, []],
  ['between two', 1, [noAnswer()]],
])('cancelled %s, it leaves no request and no timer', async (_, requests, first) => {
  answers = first;
  const starting = start();
  if (requests > 0) await starting;
  submissions.stop();
  await jest.advanceTimersByTimeAsync(600_000);
  expect(sent).toHaveLength(requests);
  expect(sent.every(({ aborted }) => aborted)).toBe(true);
  expect(isAcknowledged()).toBe(false);
  expect(jest.getTimerCount()).toBe(0);
});
