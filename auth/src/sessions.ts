// The rules of sessions, and of the logins that lead to them: plain functions on the tables.
import { hash, randomBytes } from 'node:crypto';
import type { Author } from '@blog/common/core/events.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';

const MINUTE = 60_000;

/** The maximum time that a person may take at the issuer, in milliseconds, and the maximum of people who are there. */
export const LOGIN_TIME = 10 * MINUTE;
const LOGINS = 10_000;

/** The lifetimes of a session: after this time without a request, and after this time in any case; in milliseconds. */
type Lifetimes = { idle: number; longest: number };

/** A login under way: what the issuer's answer is compared with, and the path to return to. */
export type Login = { state: string; nonce: string; verifier: string; returnTo: string };

/** A secret that only one browser has: 256 random bits. */
export const newSecret = (): string => randomBytes(32).toString('base64url');

const digest = (secret: string): string => hash('sha256', secret);

/** Notes a login of the browser that has this secret. Too many: the oldest go, because their people are the likeliest to have gone, too. */
export function beginLogin(tx: Tx, login: Login, browser: string, now: number): void {
  tx.run('DELETE FROM logins WHERE expires <= ?', now);
  tx.run(
    'DELETE FROM logins WHERE state IN (SELECT state FROM logins ORDER BY expires DESC LIMIT -1 OFFSET ?)',
    LOGINS - 1,
  );
  const { state, nonce, verifier, returnTo } = login;
  const sql = 'INSERT INTO logins (state, browser, nonce, verifier, returnTo, expires) VALUES (?, ?, ?, ?, ?, ?)';
  tx.run(sql, state, digest(browser), nonce, verifier, returnTo, now + LOGIN_TIME);
}

/** Takes a login, once; undefined if this browser has not begun it (login CSRF), or too long ago. */
export function takeLogin(tx: Tx, state: string, browser: string, now: number): Login | undefined {
  const sql = `DELETE FROM logins WHERE state = ? AND browser = ? AND expires > ?
    RETURNING state, nonce, verifier, returnTo`;
  return tx.get<Login>(sql, state, digest(browser), now);
}

/** Begins a session, and removes those that are over. */
export function beginSession(tx: Tx, id: string, user: Author, { idle, longest }: Lifetimes, now: number): void {
  tx.run('DELETE FROM sessions WHERE expires <= ?', now);
  const ends = now + longest;
  const sql = 'INSERT INTO sessions (id, userId, name, expires, ends) VALUES (?, ?, ?, ?, ?)';
  tx.run(sql, digest(id), user.id, user.name, Math.min(now + idle, ends), ends);
}

/** The user of a session that is not over, and the time at which it expires. */
export const findSession = (tx: Tx, id: string, now: number) =>
  tx.get<Author & { expires: number }>(
    'SELECT userId AS id, name, expires FROM sessions WHERE id = ? AND expires > ?',
    digest(id),
    now,
  );

/** Puts off the end of a session that is used, at most to its absolute end. */
export const prolong = (tx: Tx, id: string, { idle }: Lifetimes, now: number) =>
  tx.run('UPDATE sessions SET expires = min(?, ends) WHERE id = ? AND expires > ?', now + idle, digest(id), now);

export const endSession = (tx: Tx, id: string) => tx.run('DELETE FROM sessions WHERE id = ?', digest(id));
