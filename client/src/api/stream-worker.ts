// The one hub of a browser, as a shared worker: a browser has only six connections to an origin, for all its windows.
import { createHub } from './stream-hub.ts';

const connect = createHub();

addEventListener('connect', (event) => {
  const [port] = (event as MessageEvent).ports;
  if (!port) return;
  const say = connect((message) => port.postMessage(message));
  port.onmessage = ({ data }) => say(data);
});
