// Sign-in at a real implementation of OpenID Connect: the issuer to play with.
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHttpServer } from '@blog/common/http/limits.ts';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { removeFolders, type Service } from '../../common/test/service.ts';
import { createIssuer, settingsSchema } from '../issuer/src/issuer.ts';
import { Browser, settingsOf, startAuth } from './auth-service.ts';

let server: Server;
let url: string;
let auth: Service;
beforeAll(async () => {
  server = createHttpServer((req, res) => listener(req, res));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://localhost:${(server.address() as AddressInfo).port}`;
  const listener = createIssuer(settingsSchema.parse(settingsOf(url)));
  auth = await startAuth(url);
});
afterAll(async () => {
  server?.closeAllConnections();
  await Promise.all([auth?.close(), new Promise((resolve) => server?.close(resolve))]);
  removeFolders();
});

/** The person chooses a user on the issuer's page. Returns the path of the callback. */
async function choose(address: string, user: string): Promise<string> {
  const browser = new Browser('');
  const page = await browser.ask(address);
  const chosen = await browser.ask(`${new URL(page.location, url).href}/${user}`, 'POST');
  const { location } = await browser.ask(new URL(chosen.location, url).href);
  const { pathname, search, origin } = new URL(location);
  expect(origin).toBe('http://localhost:3000');
  return pathname + search;
}

test('a person is signed in by oidc-provider, each under their own id', async () => {
  const [ada, grace] = [new Browser(auth.url), new Browser(auth.url)];
  for (const [browser, user] of [
    [ada, 'ada'],
    [grace, 'grace'],
  ] as const) {
    const path = await choose((await browser.ask('/login?return=/p/1')).location, user);
    const { status, location } = await browser.ask(path);
    expect([status, location]).toEqual([303, '/p/1']);
    expect((await browser.ask(path)).status).toBe(400);
  }
  const users = [await ada.me, await grace.me];
  expect(users.map((user) => user?.name)).toEqual(['Ada Lovelace', 'Grace Hopper']);
  expect(users[0]?.id).not.toBe(users[1]?.id);
});

test('its code is good for one login only', async () => {
  const [victim, thief] = [new Browser(auth.url), new Browser(auth.url)];
  const path = await choose((await victim.ask('/login')).location, 'ada');
  const own = await choose((await thief.ask('/login')).location, 'grace');
  const code = /code=([^&]+)/.exec(path)?.[1] ?? '';
  expect((await thief.ask(own.replace(/code=[^&]+/, `code=${code}`))).status).toBe(400);
  expect(await thief.me).toBeNull();
});
