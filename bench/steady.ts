// A steady load: comments at a fixed rate.
import { setTimeout as pause } from 'node:timers/promises';
import { idOf } from '../e2e/lib/http.ts';
import { Connection } from './connection.ts';

/**
 * Writes comments at a fixed rate, without waiting for earlier answers (an open loop), and records the time of each
 * answer.
 */
export async function writeSteadily(comments: string, postIds: string[], rate: number, seconds: number) {
  const answered = new Map<string, number>();
  const idle: Connection[] = [];
  const write = async (n: number) => {
    const connection = idle.pop() ?? new Connection(comments);
    const content = `comment ${n}, ${rate} a second${n % 5 === 0 ? ', with orange' : ''}`;
    const { status, body } = await connection.request(
      'POST',
      `/posts/${postIds[n % postIds.length]}/comments`,
      JSON.stringify({ content }),
    );
    if (status !== 201) throw new Error(`a comment was answered with ${status}`);
    answered.set(idOf(JSON.parse(body.toString()), content), performance.now());
    idle.push(connection);
  };
  const writing: Promise<void>[] = [];
  const began = performance.now();
  for (let n = 0; n < rate * seconds; n++) {
    await pause(Math.max(0, began + (n * 1_000) / rate - performance.now()));
    writing.push(write(n));
  }
  await Promise.all(writing).finally(() => {
    for (const connection of idle) connection.close();
  });
  return answered;
}
