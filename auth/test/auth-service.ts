// Starts the auth service for tests, and a browser that signs in at it.
import { defined, NO_BUS, newFolder, Service } from '../../common/test/service.ts';
import { auth } from '../src/app.ts';
import { CLIENT, type FakeIssuer } from './fake-issuer.ts';

export const settingsOf = (issuer: string) => ({
  OIDC_ISSUER: issuer,
  OIDC_CLIENT_ID: CLIENT.id,
  OIDC_CLIENT_SECRET: CLIENT.secret,
});

/** The auth service. */
export const startAuth = (issuer: string, { folder = newFolder(), env = {} } = {}) =>
  new Service(defined(auth, { ...settingsOf(issuer), ...env }), NO_BUS, folder).open();

type Answer = { status: number; location: string; cookies: string[]; headers: Headers; json: unknown };

/** A browser: it keeps cookies, and follows no redirect by itself. */
export class Browser {
  cookies = new Map<string, string>();
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  get cookie(): string {
    return [...this.cookies].map((pair) => pair.join('=')).join('; ');
  }

  async ask(path: string, method = 'GET'): Promise<Answer> {
    const { cookie } = this;
    const answer = await fetch(this.#url + path, { method, redirect: 'manual', headers: cookie ? { cookie } : {} });
    const { status, headers } = answer;
    const cookies = headers.getSetCookie();
    for (const text of cookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(text) ?? [];
      if (value) this.cookies.set(name, value);
      else this.cookies.delete(name);
    }
    const body = await answer.text();
    const json = /json/.test(headers.get('content-type') ?? '') ? JSON.parse(body) : undefined;
    return { status, location: headers.get('location') ?? '', cookies, headers, json };
  }

  /** Goes to the issuer, where the person says yes. Returns the path of the callback. */
  async toCallback(issuer: FakeIssuer, returnTo = '/'): Promise<string> {
    const { location } = await this.ask(`/login?return=${encodeURIComponent(returnTo)}`);
    return issuer.confirm(location);
  }

  async signIn(issuer: FakeIssuer, returnTo = '/'): Promise<Answer> {
    return this.ask(await this.toCallback(issuer, returnTo));
  }

  get me() {
    return this.ask('/me').then(({ json }) => (json as { user: { id: string; name: string } | null }).user);
  }

  /** The token for a service; undefined without a session. */
  async token(audience = 'posts'): Promise<string | undefined> {
    return (await this.ask(`/token?audience=${audience}`)).headers.get('authorization')?.slice('Bearer '.length);
  }
}
