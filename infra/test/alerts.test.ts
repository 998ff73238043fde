import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { root } from './project.ts';
import { describePrometheus, promtool } from './prometheus.ts';

const FOLDER = 'infra/observability/prometheus';
const rules = readFileSync(join(root, FOLDER, 'rules.yml'), 'utf8');
type Rule = { alert: string; annotations: { summary: string } };
const alerts = parse(rules).groups.flatMap((group: { rules: Rule[] }) => group.rules) as Rule[];

test('each alert says where it is explained, and docs/observability.md explains it', () => {
  const explained = readFileSync(join(root, 'docs', 'observability.md'), 'utf8').split(/^### Alerts$/m)[1] ?? '';
  for (const { alert, annotations } of alerts) {
    expect(annotations.summary).toContain('(docs/observability.md, "Alerts")');
    expect(explained).toContain(`\`${alert}\``);
  }
});

/** Runs alerts.yml against these rules, in a copy of the folders. */
function testRules(text: string) {
  const folder = mkdtempSync(join(tmpdir(), 'blog rules '));
  try {
    for (const each of [FOLDER, 'infra/test']) mkdirSync(join(folder, each), { recursive: true });
    writeFileSync(join(folder, FOLDER, 'rules.yml'), text);
    copyFileSync(join(root, 'infra/test/alerts.yml'), join(folder, 'infra/test/alerts.yml'));
    return promtool('test', 'rules', join(folder, 'infra/test/alerts.yml'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describePrometheus('promtool', () => {
  test('takes the configuration and the rules', () => {
    const { status, output } = promtool('check', 'config', `${FOLDER}/prometheus.yml`);
    expect(output).toContain(`${alerts.length} rules found`);
    expect(status).toBe(0);
  });

  test('lets each alert fire when it should, and not when it should not', () => {
    const { status, output } = testRules(rules);
    expect(output).toContain('SUCCESS');
    expect(status).toBe(0);
  });

  test.each([
    ['a moment of absence', 'up{job="blog"} == 0\n        for: 1m', 'up{job="blog"} == 0\n        for: 5s'],
    ['nobody’s absence', 'up{job="blog"} == 0', 'up{job="blog"} == 2'],
    ['a passing weakness', 'part_degraded > 0\n        for: 1m', 'part_degraded > 0\n        for: 5s'],
    ['lag that falls', /\n +and subscription_lag_events >= .*/, ''],
    ['lag of a moment', 'subscription_lag_seconds > 10', 'subscription_lag_seconds >= 0'],
    ['no lag', 'offset 1m', 'offset 1h'],
    ['a copy that is gone', /\n +unless on .*/, ''],
    ['lag too early', 'for: 2m', 'for: 1m'],
    ['an outbox that was just filled', 'outbox_oldest_seconds > 10', 'outbox_oldest_seconds > 1'],
    ['an outbox that empties', /\n +and outbox_events >= .*/, ''],
    ['no dead letter', 'dead_letters > 0', 'dead_letters > 5'],
    ['no error line', 'increase(log_errors_total[5m]) > 0', 'increase(log_errors_total[5m]) > 5'],
    ['an error line from long ago', 'increase(log_errors_total[5m]) > 0', 'log_errors_total > 0'],
    ['a change of leaders', 'sum(bus_leader) == 0\n        for: 30s', 'sum(bus_leader) == 0\n        for: 5s'],
    ['a copy that follows', 'sum(bus_leader) == 0', 'bus_leader == 0'],
    ['a node that one copy does not see', 'max by (node) (quorum_node_current)', 'min by (node) (quorum_node_current)'],
    ['no other log', 'bus_diverged == 1', 'bus_diverged == 2'],
    ['every state', 'subscription_state{state="diverged"}', 'subscription_state'],
  ])('would say that the rules report %s', (_, from, to) => {
    const wrong = rules.replace(from, to);
    expect(wrong).not.toBe(rules);
    expect(testRules(wrong)).toMatchObject({ status: 1, output: expect.stringContaining('FAILED') });
  });
});
