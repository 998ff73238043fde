/**
 * The parts of the blog and the port that each listens on: the one list of them. YAML, shell and documents repeat its
 * numbers; the tests in `infra/test` compare them.
 */
export const PORTS = {
  posts: 4000,
  comments: 4001,
  query: 4002,
  moderation: 4003,
  'event-bus': 4005,
  client: 3000,
} as const;

export type Part = keyof typeof PORTS;
export type Server = Exclude<Part, 'client'>;
export type Service = Exclude<Server, 'event-bus'>;

export const PARTS = Object.keys(PORTS) as Part[];
export const isPart = (name: string): name is Part => Object.hasOwn(PORTS, name);
/** The parts with a database. */
export const SERVERS = PARTS.filter((part): part is Server => part !== 'client');
/** The subscribers of the bus, unless `SUBSCRIPTIONS` names others. */
export const SERVICES = SERVERS.filter((part): part is Service => part !== 'event-bus');

/**
 * The parts of sign-in and their ports. They are optional: without them everything else runs as it does, and nothing asks for
 * them. They are no subscribers of the bus.
 */
export const SIGN_IN_PORTS = { auth: 4004, issuer: 4006 } as const;
export type SignInPart = keyof typeof SIGN_IN_PORTS;

export const ALL_PORTS = { ...PORTS, ...SIGN_IN_PORTS };

/** The address of a part on one machine, as `npm start` runs it. */
export const localUrl = (part: Part | SignInPart) => `http://localhost:${ALL_PORTS[part]}`;

/** `EVENT_BUS_URL`: the setting that says where a part is. */
export const urlSetting = (part: string): string => `${part.toUpperCase().replace('-', '_')}_URL`;
