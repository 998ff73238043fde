// Starts a bus, and copies of services that it delivers to, each a process of its own with its own data.
import { startProcess } from '../e2e/lib/system.ts';
import { HOST, specOf } from '../scripts/lib/part-process.ts';
import { freePorts } from '../scripts/lib/port-use.ts';
import { keep } from './processes.ts';

/** Starts our event bus as in production, with these copies as its only subscribers. `ports` are where it expects them. */
export async function startBus(directory: string, names: string[]) {
  const [port = 0, ...free] = await freePorts(1 + names.length);
  const { env } = specOf('event-bus', { dataDir: directory, production: true, ports: new Map([['event-bus', port]]) });
  const ports = new Map(names.map((name, i): [string, number] => [name, free[i] as number]));
  const SUBSCRIPTIONS = Array.from(ports, ([name, port]) => `${name}=http://${HOST}:${port}/events`).join();
  await keep(startProcess('event-bus/src/main.ts', { ...env, SUBSCRIPTIONS }));
  return { url: `http://${HOST}:${port}`, ports };
}

/** Starts one copy of a service; returns its address. */
export async function startCopy(
  service: string,
  name: string,
  port: number,
  directory: string,
  bus: string,
  settings: NodeJS.ProcessEnv = {},
): Promise<string> {
  const env = {
    NODE_ENV: 'production',
    HOST,
    PORT: `${port}`,
    DATA_DIR: directory,
    EVENT_BUS_URL: bus,
    COPY_NAME: name,
  };
  await keep(startProcess(`${service}/src/main.ts`, { ...env, ...settings }));
  return `http://${HOST}:${port}`;
}
