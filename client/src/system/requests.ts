// Requests for the System page: the parts' readiness, the log, deliveries, and control of the bus.

import { hasNext, RequestError, read, request } from '../shared/http.ts';
import { fieldsOf, itemsOf, parseJson, textOf } from '../shared/parse.ts';
import { HAS_NO_SUCH } from '../shared/source.ts';
import type { Arrival, Quorum, Subscription } from './bus.ts';
import { parseArrival, parseEntry, parseLetter, parseQuorum, parseSubscription } from './bus.ts';

/** The parts, by the gateway's names. */
export const PARTS = ['client', 'posts', 'comments', 'query', 'moderation', 'event-bus'] as const;
export type PartName = (typeof PARTS)[number];

/** `degraded` lists the problems in words. `away`: the part does not answer. `quorum`: of a bus that has one. */
export type PartState =
  | { state: 'ready'; degraded: string[]; quorum?: Quorum | undefined }
  | { state: 'not ready'; reason: string; quorum?: Quorum | undefined }
  | { state: 'away' };

/** The states of all parts. `foreign`: a bus that has neither subscriptions nor positions, such as the classic one. */
export type States = {
  parts: Map<PartName, PartState>;
  bus: 'here' | 'away' | 'foreign';
  subscriptions: Subscription[];
  /** True if this page may control the bus. */
  control: boolean;
  /** The address of a store of log lines. */
  logs: string | undefined;
};

const BASE = '/api/system';

/** The timeout of log queries, in milliseconds. For a rare type the bus searches the whole log, which may take long. */
const SEARCH_MS = 60_000;

/** Reads the states of all parts and subscriptions. Throws RequestError if the gateway does not answer. */
export async function readStates(signal: AbortSignal): Promise<States> {
  const { data } = await request({ url: `${BASE}/state`, responseType: 'text', timeout: 5_000, signal });
  const answers = new Map(
    String(data)
      .split(/^(?={"name":")/m)
      .map(answerOf),
  );
  const subscriptions = answers.get('subscriptions');
  const { status } = fieldsOf(subscriptions);
  const isAway = !subscriptions || (typeof status === 'number' && !HAS_NO_SUCH.includes(status));
  return {
    parts: new Map(PARTS.map((name) => [name, partState(answers.get(name), name)])),
    bus: Array.isArray(subscriptions) ? 'here' : isAway ? 'away' : 'foreign',
    subscriptions: itemsOf(subscriptions, parseSubscription),
    control: fieldsOf(answers.get('client')).control === true,
    logs: textOf(fieldsOf(answers.get('client')).logs),
  };
}

/** The name of a part and its answer, `{}` if that is not JSON: a foreign part may answer with an HTML page. */
function answerOf(line: string): [name: string | undefined, answer: unknown] {
  const [, name] = /^{"name":"([\w-]+)"/.exec(line) ?? [];
  const { state } = (parseJson(line) ?? { state: {} }) as { state?: unknown };
  return [name, state];
}

/** Sentences of the bus about its subscribers. They are shown at the subscriptions: the bus itself works. */
const OF_SUBSCRIBERS = /^(Delivery to \S+ is being tried again|\S+ is diverged):/;

/** Of a foreign part without `/readyz` only its answering is known. */
function partState(answer: unknown, name: PartName): PartState {
  if (answer === undefined || answer === null) return { state: 'away' };
  const { status, degraded, detail } = fieldsOf(answer);
  const quorum = parseQuorum(fieldsOf(answer).quorum);
  if (status === 503) return { state: 'not ready', reason: textOf(detail) ?? '', quorum };
  const isShown = (text: string) => name !== 'event-bus' || !OF_SUBSCRIBERS.test(text);
  return { state: 'ready', degraded: itemsOf(degraded, textOf).filter(isShown), quorum };
}

export type LogFilter = { type?: string | undefined; subject?: string | undefined };
/** The oldest events after a position, or else the newest, those before a position if there is one. */
type LogQuery = LogFilter & { limit: number; after?: number; before?: number | undefined };

/** Reads events of the log, and its `head`: the checkpoint of its end, from which a stream can continue. */
export async function readLog({ after, before, ...query }: LogQuery, signal?: AbortSignal) {
  const params = { ...query, ...(after === undefined ? { before: before ?? Number.MAX_SAFE_INTEGER } : { after }) };
  const { data, headers } = await read({ url: `${BASE}/log`, params, timeout: SEARCH_MS, ...(signal && { signal }) });
  const head = textOf(headers['event-head']);
  if (head === undefined) throw new RequestError('the bus does not name the end of its log');
  return { entries: itemsOf(data, parseEntry), head };
}

/** Reads the deliveries of the event at a position; empty if it is older than the bus remembers. */
export async function readDeliveries(position: number): Promise<Arrival[]> {
  return itemsOf((await read({ url: `${BASE}/log/${position}/deliveries` })).data, parseArrival);
}

/** Reads a page of dead letters, newest first, after the letter `cursor`. */
export async function readDeadLetters(cursor: string | undefined, signal: AbortSignal) {
  const { data, headers } = await read({ url: `${BASE}/dead-letters`, params: { cursor }, signal });
  return { letters: itemsOf(data, parseLetter), hasNext: hasNext(headers) };
}

/** The address of the log's stream. */
export const LOG_STREAM = `${BASE}/log/stream`;

const post = (path: string, data: object = {}) => request({ method: 'POST', url: `${BASE}/${path}`, data });

/** Controls a subscription; `from` is the first position of a replay. Throws RequestError. */
export const control = (name: string, command: 'pause' | 'resume' | 'skip' | 'replay', from?: number) =>
  post(`subscriptions/${encodeURIComponent(name)}/${command}`, { from });

/** Forgets a subscription whose subscriber is gone for good. Throws RequestError: 409 it answers. */
export const forget = (name: string) =>
  request({ method: 'DELETE', url: `${BASE}/subscriptions/${encodeURIComponent(name)}` });

/** Redelivers a dead letter. Throws RequestError: 404 gone, 409 refused again, 503 the subscriber is away. */
export const redeliver = (id: string) => post(`dead-letters/${encodeURIComponent(id)}/redeliver`);

/** Discards a dead letter for good. Throws RequestError. */
export const discard = (id: string) =>
  request({ method: 'DELETE', url: `${BASE}/dead-letters/${encodeURIComponent(id)}` });
