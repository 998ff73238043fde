import { describe, expect, test } from '@jest/globals';
import * as rules from './scaled-rules.ts';
import { readScaled, type Scaled } from './scaled-rules.ts';

const titles: Record<string, (scaled: Scaled) => string[]> = {
  'a node has no more rights than Pod Security "restricted" leaves it': rules.rights,
  'a node has the time that its lame-duck mode needs': rules.endings,
  'a node has requests and limits': rules.needs,
  'all is in the Namespace of the blog, with no rights in the cluster and no Secret': rules.placesAndNames,
  'three nodes start together, each with a name and a volume': rules.nodes,
  'a node is never restarted because the others are away': rules.probes,
  'a node fsyncs before it answers, and takes the token from the Secret': rules.configuration,
  'the bus knows the quorum, the token and its own address': rules.bus,
  'there are two copies of each server': rules.copies,
  'a drain takes one copy or node at a time': rules.budgets,
  'the policies allow the bus and the nodes what they need, and no other connection': rules.arrows,
  'Skaffold deploys them on top of the profile before': rules.profiles,
  'autoscalers keep two copies and remove one slowly': rules.autoscaling,
};

describe('copies of every part', () => {
  test.each(Object.entries(titles))('%s', (_, rule) => {
    expect(rule(readScaled())).toEqual([]);
  });
});

// Spoiled files: a path, the value put there (`undefined` deletes), and the problem that a rule must report.
const wrong: [what: string, path: string, value: unknown, found: RegExp][] = [
  ['a node that is root', 'pod securityContext runAsUser', 0, /nats: .*runAsUser is 0/],
  ['a node killed before its end', 'pod terminationGracePeriodSeconds', 30, /nats: is killed after 30 s, and needs 33/],
  ['a node without a limit', 'container resources limits memory', undefined, /nats: no limits of memory/],
  ['a Secret', 'service kind', 'Secret', /there is a Secret/],
  ['nodes elsewhere', 'nats metadata namespace', 'default', /nats: namespace is "default"/],
  ['two nodes', 'nats spec replicas', 2, /^nodes is 2/],
  ['nodes that wait for each other', 'nats spec podManagementPolicy', undefined, /^podManagementPolicy/],
  ['an image of any patch level', 'container image', 'nats:2.15-alpine', /^pod’s labels.*version/],
  ['an image of another version', 'container image', 'nats:2.14.0-alpine', /^pod’s labels.*2.14.0/],
  ['nodes that are nameless until they are ready', 'service spec publishNotReadyAddresses', false, /^Service.publish/],
  ['a restart without the others', 'container livenessProbe httpGet path', '/healthz', /^livenessProbe/],
  ['a node that ends at once', 'container lifecycle', undefined, /^preStop/],
  ['answers before fsync', 'config', 'sync_interval: 2m\n', /lacks sync_interval: always/],
  ['a token that nobody has', 'config', 'token: $SECOND\n', /\$SECOND is not set/],
  ['a token from elsewhere', 'container env 1 valueFrom secretKeyRef name', 'x', /^secret.*"x"/],
  ['a route without a password', 'container env 3 value', '"nats://nats-0.nats:6222"', /^ROUTE_0/],
  [
    'a bus that lacks a node',
    'patches 1 patch',
    '- { path: /data/NATS_URL, value: nats://nats-0 }',
    /^event-bus-settings/,
  ],
  ['a bus without its address', 'patches 2 patch', '[]', /^event-bus: env/],
  ['one copy', 'component replicas 0 count', 1, /^copies.0.count is 1/],
  ['both copies gone at once', 'budget spec maxUnavailable', 2, /^budgets.*maxUnavailable is 2/],
  ['a service that reaches the quorum', 'policy spec ingress 0 from', undefined, /^outside → nats:4222 is allowed/],
  ['a bus that cannot reach its leader', 'more spec egress 0', undefined, /^event-bus → event-bus:4005 is not allowed/],
  [
    'copies of another profile',
    'skaffold metadata annotations scaled',
    'infra/production-scaled',
    /^infra.production-scaled/,
  ],
  ['a profile without copies', 'skaffold profiles 0 patches 0', undefined, /^infra.k8s: there is no undefined/],
  ['copies in any order', 'skaffold profiles 1 patches 0 op', 'copy', /^scaled.op is "copy"/],
  ['one copy at night', 'autoscalers 0 spec minReplicas', 1, /^posts: minReplicas is 1/],
];

type Tree = Record<string, unknown>;

function spoil(scaled: Scaled, path: string, value: unknown): void {
  const [first = '', ...keys] = path.split(' ');
  const find = (kind: string, name: string) =>
    scaled.manifests.find((it) => it.kind === kind && it.metadata.name === name) as unknown as Tree;
  const nats = find('StatefulSet', 'nats') as { spec: { template: { spec: { containers: Tree[] } } } };
  const starts: Record<string, unknown> = {
    nats,
    pod: nats.spec.template.spec,
    container: nats.spec.template.spec.containers[0],
    service: find('Service', 'nats'),
    budget: find('PodDisruptionBudget', 'posts'),
    policy: find('NetworkPolicy', 'nats'),
    more: find('NetworkPolicy', 'event-bus-copies'),
    skaffold: scaled.blog.skaffold,
    patches: scaled.component.patches,
    component: scaled.component,
    autoscalers: scaled.autoscalers,
  };
  if (first === 'config') scaled.config = value as string;
  else {
    const last = keys.pop() as string;
    const target = keys.reduce((object, key) => object[key] as Tree, starts[first] as Tree);
    if (value !== undefined) target[last] = value;
    else if (Array.isArray(target)) target.splice(Number(last), 1);
    else delete target[last];
  }
}

describe('found is', () => {
  test.each(wrong)('%s', (_, path, value, found) => {
    const spoiled = readScaled();
    spoil(spoiled, path, value);
    const problems = Object.values(titles).flatMap((rule) => rule(spoiled));
    expect(problems).toContainEqual(expect.stringMatching(found));
  });
});
