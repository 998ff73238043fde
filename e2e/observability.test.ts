// The cluster's Prometheus rules and Grafana panels, in a real Prometheus with a real blog.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SERVERS } from '../common/src/run/parts.ts';
import { describePrometheus } from '../infra/test/prometheus.ts';
import { root } from '../scripts/lib/part-process.ts';
import { post, until } from './lib/http.ts';
import { startPrometheus } from './lib/prometheus.ts';
import { type System, startSystem } from './lib/system.ts';
import { type Written, writeComment, writePost } from './lib/writers.ts';

type Panel = { title: string; targets: { expr: string; legendFormat: string }[] };
const dashboard = readFileSync(join(root, 'infra', 'observability', 'grafana', 'dashboard.json'), 'utf8');
const panels: Panel[] = JSON.parse(dashboard).panels;

describePrometheus('the real Prometheus', () => {
  let system: System;
  let prometheus: Awaited<ReturnType<typeof startPrometheus>>;
  let written: Written;

  beforeAll(async () => {
    system = await startSystem('--production', '--without', 'client');
    prometheus = await startPrometheus(system.ports);
    written = await writePost(system, 'seen by Prometheus');
    await system.quiet();
  });
  afterAll(async () => {
    await prometheus?.stop();
    await system?.stop();
  });

  /** Waits until this alert fires for all of these (parts or subscriptions, by its label), and for no other. */
  const fires = (alert: string, label: 'part' | 'subscription', ...whom: string[]) =>
    until(`${alert} fires for ${whom}`, async () => {
      const firing = (await prometheus.alerts()).filter(
        ({ labels, state }) => labels.alertname === alert && state === 'firing',
      );
      for (const { labels, annotations } of firing) expect(annotations.summary).toContain(labels[label]);
      return `${firing.map(({ labels }) => labels[label]).toSorted()}` === `${whom.toSorted()}`;
    });

  test('scrapes all five servers and their copies, and fires no alert while everything works', async () => {
    const read = async (job: string) => {
      const up = (await prometheus.targets()).filter(({ labels, health }) => labels.job === job && health === 'up');
      return `${up.map(({ labels }) => labels.part).toSorted()}`;
    };
    for (const job of ['blog', 'copies'])
      await until('all are read', async () => (await read(job)) === `${SERVERS.toSorted()}`);
    await until('no alert', async () => (await prometheus.alerts()).length === 0);
  });

  test('fires each alert for the part or subscription concerned', async () => {
    await post(`${system.url('event-bus')}/events`, { type: 'CommentCreated', data: {} });
    await fires('DeadLetters', 'subscription', 'comments', 'moderation', 'query');
    await fires('ErrorLines', 'part', 'event-bus'); // which says why it parked the event

    await system.part('stop moderation');
    await writeComment(system, written);
    await fires('PartAway', 'part', 'moderation');
    await fires('LagNotFalling', 'subscription', 'moderation');

    await system.part('stop event-bus');
    await writePost(system, 'not published', 0);
    await fires('OutboxOld', 'part', 'posts');
    await fires('PartAway', 'part', 'event-bus', 'moderation');
    await until('posts says that it is degraded', async () =>
      (await prometheus.alerts()).some(
        ({ labels, state }) => labels.alertname === 'PartDegraded' && labels.part === 'posts' && state === 'firing',
      ),
    );

    await system.part('start moderation');
    system.deleteDatabase('event-bus');
    await system.startPart('event-bus');
    await fires('SubscriptionDiverged', 'subscription', 'posts', 'comments', 'query', 'moderation');
  });

  // Last, when there is data in every panel.
  test.each(panels.map((panel): [string, Panel] => [panel.title, panel]))('answers "%s"', async (_, { targets }) => {
    for (const { expr, legendFormat } of targets) {
      const series = await prometheus.query(expr);
      expect(series).not.toEqual([]);
      for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
        expect(series.filter(({ metric }) => metric[label])).not.toEqual([]);
      }
      // NaN is a quantile without measurements in the last minute.
      expect(series.filter(({ value }) => Number(value[1]) >= 0)).not.toEqual([]);
      if (process.env.E2E_LOG) {
        console.log(expr, ...series.map(({ metric, value }) => `\n  ${JSON.stringify(metric)} ${value[1]}`));
      }
    }
  });
});
