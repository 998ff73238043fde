import { type ServerResponse, STATUS_CODES } from 'node:http';

/** Sends RFC 9457 problem details. */
export function sendProblem(res: ServerResponse, status: number, detail: string, headers: Record<string, string> = {}) {
  const title = STATUS_CODES[status];
  res.writeHead(status, { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', ...headers });
  res.end(JSON.stringify({ type: 'about:blank', title, status, detail }));
}

/** Sends a small JSON document. */
export function sendJson(res: ServerResponse, body: object) {
  res.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  res.end(JSON.stringify(body));
}
