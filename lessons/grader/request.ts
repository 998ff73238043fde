// One HTTP request of the grader to a graded program, and its answer.
import http from 'node:http';
import { PATIENCE } from './program.ts';

/**
 * An answer; `body` is its text parsed as JSON, undefined if it is none. Without an answer its status is 0, and `text` says what
 * came instead.
 */
export type Answer = { status: number; headers: http.IncomingHttpHeaders; text: string; body: unknown };

/** The longest answer that is read, in bytes. */
const LONGEST_ANSWER = 256 * 1024 * 1024;

export const isSuccess = ({ status }: Answer): boolean => status >= 200 && status < 300;

/** An answer in a message. */
export const shown = ({ status, text }: Answer): string => (status === 0 ? text : `answered ${status}`);

const REASONS: Record<string, string> = {
  nothing: `no answer within ${PATIENCE} s`,
  ECONNREFUSED: 'the connection was refused',
};

/** The answer that stands for none, by the code of the error that came instead; without an error nothing came. */
export const noAnswer = (code = 'nothing'): Answer => {
  const text = REASONS[code] ?? 'the connection was closed without an answer';
  return { status: 0, headers: {}, text, body: undefined };
};

export type Sent = { method: string; body?: string; headers?: http.OutgoingHttpHeaders; agent?: http.Agent };

/** Sends a request on a connection of its own, unless an agent is given. */
export function send(url: string, sent: Sent): { promise: Promise<Answer>; cancel(): void } {
  let last = sendOnce(url, sent);
  const again = () => {
    last = sendOnce(url, { ...sent, agent: undefined });
    return last.promise;
  };
  const promise = last.promise.then(
    // A grader that had no processor for a while sent it too late; nothing was done (RFC 9110 §15.5.9).
    (answer) => (answer.status === 408 ? again() : answer),
    (error) => {
      // The server closed the idle connection just when this request was written to it, as it may (RFC 9112 §9.5).
      if (last.request.reusedSocket && error.code === 'ECONNRESET') return again();
      throw error;
    },
  );
  return { promise, cancel: () => last.request.destroy() };
}

function sendOnce(url: string, { method, body, headers, agent }: Sent) {
  const type =
    body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const request = http.request(url, { method, agent: agent ?? false, headers: { ...type, ...headers } });
  const promise = new Promise<Answer>((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > LONGEST_ANSWER) request.destroy(new Error('the answer does not end'));
      });
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body: parseJson(text) });
      });
    });
    request.end(body);
  });
  return { promise, request };
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
