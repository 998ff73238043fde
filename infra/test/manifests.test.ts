import { describe, expect, test } from '@jest/globals';
import * as network from './network-rules.ts';
import * as pods from './pod-rules.ts';
import { type Project, readProject } from './project.ts';
import * as surroundings from './project-rules.ts';

const rules: Record<string, (project: Project) => string[]> = {
  'every container has no more rights than Pod Security "restricted" leaves it': (project) => pods.rights(project),
  'names, ports and addresses are those of the list of parts': pods.namesAndPorts,
  'each copy of a server has a name, before it is ready, too': pods.copiesNames,
  'labels and selectors match': pods.labels,
  'a corrected setting reaches its pods': pods.settings,
  'in production each of the five servers has the token from the Secret and knows its pod, and the client has neither':
    pods.environment,
  'every part has probes, and says what it needs': pods.probesAndResources,
  'every part has the time that its graceful shutdown needs': pods.endings,
  'nodes can be drained, one client at a time': pods.disruptions,
  'all parts together request at most 1 CPU and 1 GiB': (project) => pods.totals(project, { cpu: 1, memory: 2 ** 30 }),
  'a database runs once, on any cluster’s default volumes': pods.databases,
  'an image that was loaded into the node is used': pods.pulls,
  'every image has a development and a production target, of pinned versions': surroundings.images,
  'no file holds a secret': surroundings.secrets,
  'the kustomization lists the parts and the network, and never the Namespace': surroundings.lists,
  'the namespace refuses pods with more rights than "restricted"': surroundings.namespace,
  'an Ingress or HTTPRoute sends everything to the client': surroundings.front,
  'Skaffold builds, syncs and forwards every part': surroundings.skaffold,
  'the token is made in the Namespace that was made before, in production only': surroundings.hooks,
  'the network policies allow exactly the connections of the design': network.arrows,
  'every pod may query DNS, wherever it runs': network.dns,
};

const project = readProject();

describe('the manifests', () => {
  test.each(Object.entries(rules))('%s', (_, rule) => {
    expect(rule(project)).toEqual([]);
  });
});

// Spoiled manifests: a path (in posts, unless another part is named), the value put there (`undefined` deletes), and the
// problem that a rule must report.
type Wrong = [what: string, path: string, value: unknown, found: RegExp];
const node = 'FROM node:26.10.0-slim AS base';

const wrong: Wrong[] = [
  ['a container without drop ALL', 'container securityContext capabilities drop', [], /posts: .*capabilities\/drop/],
  ['a capability added', 'container securityContext capabilities add', ['SYS_TIME'], /posts: .*capabilities\/add/],
  ['a privileged container', 'container securityContext privileged', true, /posts: .*privileged is true/],
  ['a root that is writable', 'container securityContext readOnlyRootFilesystem', false, /readOnlyRootFilesystem/],
  ['a second container with all rights', 'pod containers 1', { name: 'x', ports: [] }, /posts: containers is 2/],
  ['a port of the host', 'container ports 0 hostPort', 80, /posts: hostPort is 80/],
  ['a pod that runs as root', 'pod securityContext runAsUser', 0, /posts: .*runAsUser is 0/],
  ['a pod without seccomp', 'pod securityContext seccompProfile', undefined, /posts: .*seccompProfile/],
  ['the host’s network', 'pod hostNetwork', true, /posts: hostNetwork is true/],
  ['a folder of the host', 'pod volumes 1', { name: 'x', hostPath: { path: '/' } }, /volume of type hostPath/],
  ['a service account’s token', 'pod automountServiceAccountToken', true, /posts: automountServiceAccountToken/],

  ['a base image `latest`', 'dockerfiles Dockerfile', 'FROM node:latest AS base', /node:latest is not pinned/],
  ['a base image without a tag', 'dockerfiles Dockerfile', 'FROM node AS base', /node is not pinned/],
  ['another Node', 'dockerfiles Dockerfile', 'FROM node:24.1.0-slim AS base', /^Dockerfile: Node is "24.1.0"/],
  ['a target that is missing', 'dockerfiles Dockerfile', `${node}\nFROM base AS production`, /no target development/],
  ['an image without its version', 'dockerfiles Dockerfile', node, /does not label its version/],
  ['an image of another version', 'versions blog', '1.0.1', /^Dockerfile: version is "1.0.0"/],

  ['a wrong port', 'container ports 0 containerPort', 4009, /posts: ports.* 4009/],
  ['a wrong port of a Service', 'Service spec ports 0 port', 80, /posts-clusterip-srv.ports.* 80/],
  ['a Service that is open to the outside', 'Service spec type', 'NodePort', /posts-clusterip-srv.type is "NodePort"/],
  ['a copy that is nameless until it is ready', 'headless spec publishNotReadyAddresses', false, /Service posts.pub/],
  ['a StatefulSet of another Service', 'StatefulSet spec serviceName', 'posts-clusterip-srv', /posts: serviceName/],
  ['an address that is nobody’s', 'ConfigMap data EVENT_BUS_URL', 'http://bus:4005', /no part is at http:..bus/],
  ['an image that is another part’s', 'container image', 'blog-query', /posts: image/],
  ['a label of another version', 'pod-template metadata labels app.kubernetes.io/version', '2', /posts: pod’s labels/],
  [
    'a selector that finds nothing',
    'Service spec selector app.kubernetes.io/name',
    'post',
    /posts-clusterip-srv.selector/,
  ],
  ['a version in a selector', 'StatefulSet spec selector matchLabels version', '1.0.0', /posts: selector/],
  ['settings that are not read', 'container envFrom', undefined, /posts: envFrom/],
  ['settings whose name stays', 'ConfigMap metadata annotations', undefined, /posts-settings is undefined/],

  ['a server without the token', 'container env', undefined, /posts: env is undefined/],
  [
    'a token of its own',
    'container env 0 valueFrom secretKeyRef name',
    'posts-token',
    /posts: .*name is "posts-token"/,
  ],
  ['a token that may be missing', 'container env 0 valueFrom secretKeyRef optional', true, /posts: .*optional is true/],
  ['a token in the manifest', 'container env 0 value', 'x', /posts: env.0.value is "x"/],
  ['a client with the token', 'client env', [{ name: 'BUS_TOKEN', value: 'x' }], /client: env is \[/],

  ['a server that does not know its pod', 'container env 1', undefined, /posts: env.1 is undefined/],

  ['a missing probe', 'container readinessProbe', undefined, /posts: readinessProbe/],
  ['a start that is refused an answer', 'container startupProbe httpGet', {}, /posts: startupProbe.httpGet/],
  [
    'a server killed before its end',
    'pod terminationGracePeriodSeconds',
    5,
    /posts: is killed after 5 s, and needs 5.9/,
  ],
  [
    'a gateway killed before its end',
    'client lifecycle preStop sleep seconds',
    11,
    /client: is killed after 15 s, and needs 16/,
  ],
  ['a server that keeps its node', 'Service kind', 'PodDisruptionBudget', /budgets.0.0 is "posts/],
  ['both clients gone at once', 'budget spec maxUnavailable', 2, /budgets.*maxUnavailable is 2/],
  ['a missing limit', 'container resources limits memory', undefined, /posts: no limits of memory/],
  ['too much CPU requested together', 'container resources requests cpu', '1', /requested together: .* of cpu/],
  [
    'too much memory requested together',
    'container resources requests memory',
    '1Gi',
    /requested together: .* of memory/,
  ],
  ['a database that runs twice', 'StatefulSet spec replicas', 2, /posts: replicas/],
  ['OrderedReady', 'StatefulSet spec podManagementPolicy', undefined, /posts: podManagementPolicy/],
  ['a storageClassName', 'StatefulSet spec volumeClaimTemplates 0 spec storageClassName', 'x', /storageClassName/],
  ['an Always', 'container imagePullPolicy', 'Always', /posts: imagePullPolicy is "Always"/],

  ['a Secret', 'texts a.yaml', 'apiVersion: v1\nkind: Secret\n', /a.yaml: a secret/],
  ['a Secret in JSON', 'texts a.yaml', '{"kind": "Secret"}', /a.yaml: a secret/],
  [
    'a token among the environment',
    'texts a.yaml',
    '- name: BUS_TOKEN\n  value: abcdef\n',
    /a secret. name: BUS_TOKEN/,
  ],
  ['a token that kustomize makes', 'texts a.yaml', 'secretGenerator:\n  - name: x\n', /a secret. secretGenerator/],
  ['a password among the settings', 'texts a.yaml', '  DB_PASSWORD: hunter2\n', /a secret. PASSWORD/],
  ['a token in a command', 'texts a.md', 'curl -H token=abcdef\n', /a secret. token/],
  ['a part that is not listed', 'listed 1', undefined, /resources/],
  ['the Namespace among the manifests', 'Service kind', 'Namespace', /there is a Namespace/],
  ['a pod that belongs to no part', 'Service kind', 'Pod', /there is a Pod/],

  ['a namespace that takes any pod', 'namespace 0 metadata labels', { a: 'b' }, /enforce is undefined/],
  ['a way past the client', 'optional 0 spec rules 0 http paths 0 backend service name', 'posts', /Ingress.*posts/],
  ['a synced path that does not exist', 'skaffold build artifacts 0 sync manual 0 src', 'posts/x/**', /at posts.x/],
  ['a Dockerfile that does not exist', 'skaffold build artifacts 0 docker dockerfile', 'x/Dockerfile', /there is no x/],
  [
    'an image that is another part’s folder',
    'skaffold build artifacts 1 docker buildArgs PART',
    'posts',
    /blog-comments.*PART is "posts"/,
  ],
  ['a part that is not built', 'skaffold build artifacts 0', undefined, /no artifact blog-posts/],
  ['a port that is not forwarded', 'skaffold portForward 0', undefined, /portForward/],
  ['a port forwarded elsewhere', 'skaffold portForward 0 namespace', 'default', /portForward.*default/],

  ['a Namespace that Windows gets not', 'hooks 1 host os', ['linux'], /^hooks: systems/],
  ['a hook before the Namespace', 'hooks 0 host command', ['node', 'x.mjs'], /^hooks: node x.mjs is not/],
  ['a deployment that makes no token', 'profiles 0 patches 8', undefined, /^hooks of profiles.0.profile is "scaled"/],
  ['tools without their Namespace', 'profiles 4 patches 1', undefined, /^hooks of profiles.5 is undefined/],
  ['tools that nobody starts', 'profiles 4 patches 3', undefined, /^hooks of profiles.5 is undefined/],
  ['a token in a profile for development', 'profiles 0 name', 'x', /^hooks of profiles.0.profile is "x"/],

  ['a rule missing at the source', 'NetworkPolicy spec egress 0', undefined, /^posts → event-bus:4005 is not allowed/],
  ['a rule missing at the target', 'NetworkPolicy spec ingress 0', undefined, /^client → posts:4000 is not allowed/],
  ['a rule too many', 'NetworkPolicy spec ingress 1', { ports: [{ port: 4000 }] }, /^outside → posts:4000 is allowed/],
  ['a way out', 'NetworkPolicy spec egress 1', { ports: [{ port: 443 }] }, /^posts → outside:443 is allowed/],
  [
    'pods that no policy holds',
    'default-deny spec podSelector',
    { matchLabels: { a: 'b' } },
    /^outside → stranger:443 is allowed/,
  ],
  ['DNS by UDP only', 'dns spec egress 0 ports 1', undefined, /posts cannot ask dns by TCP/],
];

type Tree = Record<string, unknown>;
const find = ({ manifests }: Project, kind: string, name: string): Tree => {
  return manifests.find(({ kind: is, metadata }) => is === kind && metadata.name.startsWith(name)) as unknown as Tree;
};

function spoil(project: Project, path: string, value: unknown): void {
  const [first = '', ...keys] = path.split(' ');
  const last = keys.pop() as string;
  const template = find(project, 'StatefulSet', 'posts').spec as { template: { spec: { containers: Tree[] } } };
  const starts: Record<string, unknown> = {
    ...project,
    'pod-template': template.template,
    pod: template.template.spec,
    container: template.template.spec.containers[0],
    client: (find(project, 'Deployment', 'client').spec as typeof template).template.spec.containers[0],
    hooks: project.skaffold.deploy.kubectl.hooks.before,
    profiles: project.skaffold.profiles,
    headless: project.manifests.find(({ kind, metadata }) => kind === 'Service' && metadata.name === 'posts'),
    budget: find(project, 'PodDisruptionBudget', 'client'),
    dns: find(project, 'NetworkPolicy', 'dns'),
    'default-deny': find(project, 'NetworkPolicy', 'default-deny'),
  };
  const start = starts[first] ?? find(project, first, 'posts');
  const target = keys.reduce((object, key) => object[key] as Tree, start as Tree);
  if (value !== undefined) target[last] = value;
  else if (Array.isArray(target)) target.splice(Number(last), 1);
  else delete target[last];
}

describe('found is', () => {
  test.each(wrong)('%s', (_, path, value, found) => {
    const spoiled = structuredClone(project);
    spoil(spoiled, path, value);
    const problems = Object.values(rules).flatMap((rule) => rule(spoiled));
    expect(problems).toContainEqual(expect.stringMatching(found));
  });
});
