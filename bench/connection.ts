// One HTTP/1.1 connection on a bare socket, with one request at a time: the cheapest possible load generator.
import { connect, type Socket } from 'node:net';

type Answer = { status: number; body: Buffer };
type Waiting = { resolve(answer: Answer): void; reject(error: Error): void };

export class Connection {
  readonly #host: string;
  readonly #port: number;
  #socket: Socket | undefined;
  #waiting: Waiting | undefined;
  #pieces: Buffer[] = [];
  #length = 0;
  /** The head of the answer being received, once complete. */
  #head: { status: number; bytes: number; whole: number } | undefined;

  constructor(origin: string) {
    const { hostname, port } = new URL(origin);
    this.#host = hostname;
    this.#port = Number(port);
  }

  /**
   * Sends one request and resolves to its answer, whatever the status; a body is sent as JSON. Throws if the connection
   * ends instead.
   */
  request(method: string, path: string, body = '', type = 'application/json'): Promise<Answer> {
    if (!this.#socket || this.#socket.destroyed) this.#open();
    const content = body && `Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket?.write(`${method} ${path} HTTP/1.1\r\nHost: ${this.#host}:${this.#port}\r\n${content}\r\n${body}`);
    });
  }

  close(): void {
    this.#socket?.destroy();
  }

  #open(): void {
    const socket = connect(this.#port, this.#host);
    socket.setNoDelay();
    socket.on('data', (piece) => this.#take(piece as Buffer));
    socket.on('error', () => {}); // reported by 'close'
    socket.on('close', () => {
      if (socket !== this.#socket) return;
      this.#pieces = [];
      this.#waiting?.reject(new Error('The connection ended before an answer.'));
    });
    this.#socket = socket;
  }

  #take(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    this.#head ??= this.#readHead();
    if (!this.#head || this.#length < this.#head.whole) return;
    const { status, bytes, whole } = this.#head;
    const body = Buffer.concat(this.#pieces).subarray(whole - bytes);
    this.#pieces = [];
    this.#length = 0;
    this.#head = undefined;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve({ status, body });
  }

  #readHead() {
    const start = this.#pieces.length > 1 ? Buffer.concat(this.#pieces) : (this.#pieces[0] as Buffer);
    const end = start.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const text = start.toString('latin1', 0, end);
    const bytes = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1]);
    if (Number.isNaN(bytes)) throw new Error('The load generator reads only answers with a Content-Length.');
    return { status: Number(text.slice(9, 12)), bytes, whole: end + 4 + bytes };
  }
}
