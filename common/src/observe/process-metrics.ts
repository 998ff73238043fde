import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, type Registry, type Summary } from 'prom-client';
import type { Metrics } from './metrics.ts';

/** How often the event loop is looked at, in milliseconds. */
const LOOK = 50;

const QUANTILES = [0.5, 0.99, 1];

/** The process itself, by the names that dashboards for Node know, and its event loop. */
export function addProcess(metrics: Metrics, registry: Registry): void {
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Time on the processor.',
    registers: [registry],
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  const startedAt = Date.now() / 1_000 - process.uptime();
  const help = {
    process_start_time_seconds: 'When the process started, since 1970.',
    process_resident_memory_bytes: 'Memory in use.',
    nodejs_heap_size_used_bytes: 'Memory of JavaScript objects.',
  };
  metrics.gauges(help, () => ({
    process_start_time_seconds: startedAt,
    process_resident_memory_bytes: process.memoryUsage.rss(),
    nodejs_heap_size_used_bytes: process.memoryUsage().heapUsed,
  }));
  // What the library needs of a metric: its own Summary would measure by itself, and Node has measured already.
  registry.registerMetric(eventLoopDelay() as unknown as Summary);
}

/** Nothing is looked at until somebody asks for the first time. Quantiles are of the time since they were last asked for. */
function eventLoopDelay() {
  const name = 'event_loop_delay_seconds';
  const looks = monitorEventLoopDelay({ resolution: LOOK });
  const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - LOOK / 1_000);
  let latest = QUANTILES.map(() => 0);
  let sum = 0;
  let count = 0;
  return {
    name,
    async get() {
      if (looks.count > 0) {
        latest = QUANTILES.map((quantile) => late(looks.percentile(quantile * 100)));
        sum += late(looks.mean) * looks.count;
        count += looks.count;
      }
      looks.enable();
      looks.reset();
      const quantiles = QUANTILES.map((quantile, i) => ({ labels: { quantile }, value: latest[i] }));
      const totals = [
        { metricName: `${name}_sum`, value: sum },
        { metricName: `${name}_count`, value: count },
      ];
      const help = 'How late the event loop got to what was due.';
      return { name, help, type: 'summary', values: [...quantiles, ...totals] };
    },
  };
}
