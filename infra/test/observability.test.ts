import { describe, expect, test } from '@jest/globals';
import * as rules from './observability-rules.ts';
import { readTools, type Tools } from './observability-rules.ts';
import { totals } from './pod-rules.ts';

const titles: Record<string, (tools: Tools) => string[]> = {
  'every tool has no more rights than Pod Security "restricted" leaves it': rules.rights,
  'every image is one version': rules.images,
  'every tool has requests and limits': rules.needs,
  'all tools together request at most 0.2 CPU and 512 MiB': (tools) => totals(tools, { cpu: 0.2, memory: 2 ** 29 }),
  'the agent reads the log files of its node and asks which pods are there, and may do nothing else': rules.agent,
  'the storage of a tool is bounded and ends with its pod': rules.storage,
  'the tools are in a Namespace of their own, with no rights in the cluster and no Secret': rules.placesAndNames,
  'that Namespace refuses pods with more rights than "restricted"': rules.namespaces,
  'selectors, ports and Services fit': rules.services,
  'each of the five servers, and each copy of it, is scraped': rules.scraping,
  'spans and queries go to the right addresses': rules.addresses,
  'Grafana sends no requests outside, and keeps its plugins': rules.grafana,
  'every panel queries an existing data source': rules.dashboard,
  'Skaffold forwards their pages, to ports that are free': rules.forwards,
  'the policies allow the connections of the blog, those of the tools, and no other': rules.arrows,
};

describe('the tools', () => {
  test.each(Object.entries(titles))('%s', (_, rule) => {
    expect(rule(readTools())).toEqual([]);
  });
});

// Spoiled files: a path, the value put there (`undefined` deletes), and the problem that a rule must report.
const wrong: [what: string, path: string, value: unknown, found: RegExp][] = [
  ['root', 'jaeger spec template spec securityContext runAsUser', 0, /jaeger: .*runAsUser is 0/],
  ['a writable root', 'grafana container securityContext readOnlyRootFilesystem', false, /grafana: .*readOnly/],
  [
    'a token of the cluster',
    'prometheus spec template spec automountServiceAccountToken',
    true,
    /prometheus: automount/,
  ],
  ['an image `latest`', 'grafana container image', 'grafana/grafana:latest', /grafana:latest is not one version/],
  ['an image without a tag', 'grafana container image', 'grafana/grafana', /grafana is not one version/],
  ['an image of any patch level', 'jaeger container image', 'jaegertracing/jaeger:2.22', /jaeger:2.22 is not/],
  ['a missing limit', 'prometheus container resources limits memory', undefined, /prometheus: no limits of memory/],
  ['too much memory requested', 'grafana container resources requests memory', '1Gi', /requested together/],
  ['a volume without bounds', 'prometheus spec template spec volumes 1 emptyDir', {}, /data is not bounded/],
  ['a claim', 'jaeger spec template spec volumes 1', { name: 'x', persistentVolumeClaim: {} }, /x is not bounded/],
  ['a role in the cluster', 'grafana kind', 'ClusterRole', /there is a ClusterRole/],
  ['a tool in the Namespace of the blog', 'grafana metadata namespace', 'blog', /Deployment grafana is in blog/],
  ['a namespace that takes any pod', 'namespace 0 metadata labels', {}, /enforce is undefined/],
  ['a port that is another', 'jaeger container ports 1 containerPort', 4317, /jaeger: ports.* 4317/],
  ['a Service open to the outside', 'service spec type', 'NodePort', /prometheus.type is "NodePort"/],
  [
    'any pod may be scraped by anybody',
    'scrape-posts spec ingress 0 from',
    undefined,
    /outside → posts:4000 is allowed/,
  ],
  [
    'a pod elsewhere that calls itself prometheus',
    'scrape-posts spec ingress 0 from 0 namespaceSelector',
    {},
    /impostor → posts:4000 is allowed/,
  ],
  ['the client sends spans', 'traces spec podSelector', {}, /client → jaeger:4318 is allowed/],
  [
    'a server that cannot send',
    'traces spec podSelector matchExpressions 0 values 0',
    'x',
    /posts → jaeger:4318 is not/,
  ],
  ['a way out', 'egress', { ports: [{ port: 443 }] }, /prometheus → outside:443 is allowed/],
  ['a part that is not scraped', 'prometheus.yml scrape_configs 0 static_configs 3', undefined, /targets.3/],
  ['copies that are not scraped', 'prometheus.yml scrape_configs 1 dns_sd_configs 0 names 1', undefined, /copies.1 is/],
  ['a target at the wrong port', 'prometheus.yml scrape_configs 0 static_configs 0 targets 0', 'x:1', /targets.0.*x:1/],
  ['spans sent elsewhere', 'endpoint', 'http://jaeger:4318', /^endpoint is/],
  [
    'plugins from the internet',
    'settings data GF_PLUGINS_PREINSTALL_DISABLED',
    undefined,
    /^GF_PLUGINS_.* is undefined/,
  ],
  ['an agent with a capability', 'vlagent container securityContext capabilities', {}, /vlagent: container’s.*drop/],
  ['an agent that may write logs', 'vlagent container volumeMounts 1 readOnly', undefined, /vlagent: mounts/],
  ['an agent that sees the whole node', 'vlagent spec template spec volumes 0 hostPath path', '/', /vlagent: volumes/],
  ['an agent that may ask for Secrets', 'role rules 0 resources', ['pods', 'secrets'], /vlagent: may/],
  ['an agent that reads everything', 'vlagent container args 1', '-x', /vlagent: excludes/],
  [
    'an agent `latest`',
    'vlagent container image',
    'victoriametrics/vlagent:latest',
    /vlagent:latest is not one version/,
  ],
  ['lines sent elsewhere', 'sends spec egress 2 to', undefined, /vlagent → outside:9428 is allowed/],
  [
    'a store that takes no lines',
    'store spec ingress 0 from 0 podSelector',
    { matchLabels: { a: 'b' } },
    /→ victoria-logs:9428 is not/,
  ],
  ['a panel that asks nobody', 'dashboard panels 0 datasource uid', 'x', /there is no prometheus x/],
];

type Tree = Record<string, unknown>;

function spoil(tools: Tools, path: string, value: unknown): void {
  const [first = '', ...keys] = path.split(' ');
  const find = (kind: string, name: string) =>
    [...tools.manifests, ...tools.agent].find((it) => it.kind === kind && it.metadata.name === name) as unknown as Tree;
  const starts: Record<string, unknown> = {
    ...Object.fromEntries(rules.tools.map(({ name }) => [name, find('Deployment', name)])),
    'scrape-posts': find('NetworkPolicy', 'scrape-posts'),
    traces: find('NetworkPolicy', 'traces'),
    sends: find('NetworkPolicy', 'vlagent'),
    store: find('NetworkPolicy', 'victoria-logs'),
    vlagent: find('DaemonSet', 'vlagent'),
    role: find('ClusterRole', 'blog-vlagent'),
    service: find('Service', 'prometheus'),
    settings: find('ConfigMap', 'grafana-settings'),
    namespace: tools.namespace,
    dashboard: tools.dashboard,
    'prometheus.yml': tools.prometheus,
  };
  if (first === 'endpoint') tools.endpoint = value as string;
  else if (first === 'egress') (find('NetworkPolicy', 'prometheus').spec as { egress: unknown[] }).egress.push(value);
  else {
    if (keys[0] === 'container') keys.splice(0, 1, 'spec', 'template', 'spec', 'containers', '0');
    const last = keys.pop() as string;
    const target = keys.reduce((object, key) => object[key] as Tree, starts[first] as Tree);
    if (value !== undefined) target[last] = value;
    else if (Array.isArray(target)) target.splice(Number(last), 1);
    else delete target[last];
  }
}

describe('found is', () => {
  test.each(wrong)('%s', (_, path, value, found) => {
    const spoiled = readTools();
    spoil(spoiled, path, value);
    const problems: string[] = [];
    for (const rule of Object.values(titles)) {
      problems.push(...rule(spoiled));
      if (problems.some((problem) => found.test(problem))) break;
    }
    expect(problems).toContainEqual(expect.stringMatching(found));
  });
});
