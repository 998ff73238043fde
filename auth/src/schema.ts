// The tables of auth. All times are milliseconds since 1970.

/**
 * A secret of a browser is stored as its SHA-256, so that a reader of the file cannot use it. A login is a sign-in that is
 * under way at the issuer. `signsFrom` is the time from which a key signs tokens.
 */
const auth = `
  CREATE TABLE logins (
    state TEXT PRIMARY KEY,
    browser TEXT NOT NULL,
    nonce TEXT NOT NULL,
    verifier TEXT NOT NULL,
    returnTo TEXT NOT NULL,
    expires INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX logins_by_expiry ON logins (expires);
  CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    userId TEXT NOT NULL,
    name TEXT NOT NULL,
    expires INTEGER NOT NULL,
    ends INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sessions_by_expiry ON sessions (expires);
  CREATE TABLE keys (
    kid TEXT PRIMARY KEY,
    jwk TEXT NOT NULL,
    signsFrom INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

/** Append only: databases out there have run the first ones. */
export const migrations = [auth];
