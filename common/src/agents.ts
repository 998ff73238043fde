import { lookup as ask } from 'node:dns';
import { Agent } from 'node:http';
import { Agent as SecureAgent } from 'node:https';
import type { LookupFunction, Socket } from 'node:net';

/**
 * How long a connection may take to open, in milliseconds. Where nobody listens it is refused at once; but the address of
 * a pod that has just gone refuses nothing: there it would wait until the exchange's own deadline.
 */
const OPEN_WITHIN = 2_000;

function hurried<A extends Agent>(agent: A): A {
  const open = agent.createConnection.bind(agent);
  agent.createConnection = (...args) => {
    const socket = open(...args) as Socket;
    const late = Object.assign(new Error('The connection did not open in time.'), { code: 'ETIMEDOUT' });
    const timer = setTimeout(() => socket.destroy(late), OPEN_WITHIN);
    for (const event of ['connect', 'close']) socket.once(event, () => clearTimeout(timer));
    return socket;
  };
  return agent;
}

const LOOPBACK = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

/**
 * `localhost` is both addresses of loopback (RFC 6761 §6.3), whatever the system's hosts file says: a part of one's own may
 * listen on either. They are tried in turn (Happy Eyeballs, RFC 8305).
 */
const lookup: LookupFunction = (host, options, callback) =>
  host === 'localhost' && options.all ? callback(null, LOOPBACK) : ask(host, options, callback);

/** What requests to other parts go through: connections are kept open between them. */
export const agents = {
  httpAgent: hurried(new Agent({ keepAlive: true, lookup })),
  httpsAgent: hurried(new SecureAgent({ keepAlive: true, lookup })),
};
