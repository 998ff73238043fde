// The real Prometheus with the cluster's files, for a test's system: with its ports instead of the Services, and
// shorter times.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { prometheus } from '../../infra/test/prometheus.ts';
import { root } from '../../scripts/lib/part-process.ts';
import { freePorts } from '../../scripts/lib/port-use.ts';
import { get, until } from './http.ts';

const FOLDER = join(root, 'infra', 'observability', 'prometheus');
const INTERVAL = '500ms';

type Labels = Record<string, string>;
export type Series = { metric: Labels; value: [at: number, value: string] };
export type Alert = { labels: Labels; annotations: { summary: string }; state: 'pending' | 'firing' };

/** Shortens times: minutes become seconds, and ten seconds one. */
const hurry = (rules: string) => rules.replace(/\b(\d+)m\b/g, '$1s').replace(/_seconds > 10\b/g, '_seconds > 1');

/** `ports`: of the parts, by name. */
export async function startPrometheus(ports: Record<string, number>) {
  const program = prometheus();
  const folder = mkdtempSync(join(tmpdir(), 'blog prometheus '));
  const config = parse(readFileSync(join(FOLDER, 'prometheus.yml'), 'utf8'));
  Object.assign(config.global, { scrape_interval: INTERVAL, scrape_timeout: INTERVAL, evaluation_interval: INTERVAL });
  const [blog, copies] = config.scrape_configs;
  for (const target of blog.static_configs) target.targets = [`127.0.0.1:${ports[target.labels.part]}`];
  // In place of DNS.
  delete copies.dns_sd_configs;
  delete copies.relabel_configs;
  copies.static_configs = blog.static_configs;
  writeFileSync(join(folder, 'prometheus.yml'), stringify(config));
  writeFileSync(join(folder, 'rules.yml'), hurry(readFileSync(join(FOLDER, 'rules.yml'), 'utf8')));

  const [port] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(program, [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      output += data;
    });
  }
  const closed = once(child, 'close');
  await until('Prometheus is ready, or ends', async () => {
    if (child.exitCode !== null) return true;
    return (await get(`${url}/-/ready`)).status === 200;
  });
  if (child.exitCode !== null) throw new Error(`Prometheus ended\n${output}`);

  /** Queries its API and returns the data of the answer. Throws its error message if it refuses. */
  async function ask(path: string) {
    const { body } = await get(`${url}/api/v1/${path}`);
    if (body.status !== 'success') throw new Error(`${path}: ${body.error}`);
    return body.data;
  }

  return {
    query: async (expression: string): Promise<Series[]> =>
      (await ask(`query?query=${encodeURIComponent(expression)}`)).result,
    alerts: async (): Promise<Alert[]> => (await ask('alerts')).alerts,
    targets: async (): Promise<{ labels: Labels; health: string; lastError: string }[]> =>
      (await ask('targets')).activeTargets,
    async stop(): Promise<void> {
      child.kill('SIGTERM');
      await closed;
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
