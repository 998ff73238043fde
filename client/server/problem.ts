// Answers that the gateway itself gives: errors and small JSON documents.

import type { ServerResponse } from 'node:http';
import { problemDocument } from '@blog/common/http/problem.ts';

/** Sends RFC 9457 problem details. */
export function sendProblem(res: ServerResponse, status: number, detail: string, headers: Record<string, string> = {}) {
  res.writeHead(status, { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', ...headers });
  res.end(problemDocument(status, detail));
}

/** Sends a small JSON document. */
export function sendJson(res: ServerResponse, body: object) {
  res.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  res.end(JSON.stringify(body));
}
