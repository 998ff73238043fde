// The browser's one hub, run as a shared worker, because a browser opens only six connections to an origin for all its
// windows.
import { createHub } from './stream-hub.ts';

const connect = createHub();

addEventListener('connect', (event) => {
  const [port] = (event as MessageEvent).ports;
  if (!port) return;
  const say = connect((message) => port.postMessage(message));
  port.onmessage = ({ data }) => say(data);
});
