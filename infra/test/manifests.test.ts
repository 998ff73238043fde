import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { differences, rules, tooMuch, unrestricted } from './checks.ts';
import { type Manifest, type Project, parts, readDocuments, readProject, root } from './project.ts';

const project = readProject();

describe('the manifests', () => {
  test.each(Object.entries(rules))('%s', (_, rule) => {
    expect(rule(project)).toEqual([]);
  });
});

// What is put where (of posts, unless it says otherwise), and the problem that it must be found as. `undefined` takes away.
type Wrong = [what: string, path: string, value: unknown, found: RegExp];
const node = 'FROM node:26.10.0-slim AS base';

const wrong: Wrong[] = [
  ['a container without drop ALL', 'container securityContext capabilities drop', [], /posts: .*capabilities\/drop/],
  ['a capability added', 'container securityContext capabilities add', ['SYS_TIME'], /posts: .*capabilities\/add/],
  ['a privileged container', 'container securityContext privileged', true, /posts: .*privileged is true/],
  ['a root that is writable', 'container securityContext readOnlyRootFilesystem', false, /readOnlyRootFilesystem/],
  ['a second container with all rights', 'pod containers 1', { name: 'x', ports: [] }, /posts: container’s/],
  ['a port of the host', 'container ports 0 hostPort', 80, /posts has a hostPort/],
  ['a pod that runs as root', 'pod securityContext runAsUser', 0, /posts: .*runAsUser is 0/],
  ['a pod without seccomp', 'pod securityContext seccompProfile', undefined, /posts: .*seccompProfile/],
  ['the host’s network', 'pod hostNetwork', true, /posts has hostNetwork/],
  ['a folder of the host', 'pod volumes 1', { name: 'x', hostPath: { path: '/' } }, /volume of type hostPath/],
  ['a service account’s token', 'pod automountServiceAccountToken', true, /posts: automountServiceAccountToken/],

  ['a base image `latest`', 'dockerfiles posts', 'FROM node:latest AS base', /node:latest is not pinned/],
  ['a base image without a tag', 'dockerfiles posts', 'FROM node AS base', /node is not pinned/],
  ['another Node', 'dockerfiles posts', 'FROM node:24.1.0-slim AS base', /24.1.0-slim is not Node/],
  ['a target that is missing', 'dockerfiles posts', `${node}\nFROM base AS production`, /no target development/],
  ['an image without its version', 'dockerfiles posts', node, /does not label its version/],
  ['an image of another version', 'versions blog', '1.0.1', /Dockerfile says version 1.0.0/],

  ['a wrong port', 'container ports 0 containerPort', 4009, /posts: ports.* 4009/],
  ['a wrong port of a Service', 'Service spec ports 0 port', 80, /posts-clusterip-srv: ports.* 80/],
  ['an address that is nobody’s', 'ConfigMap data EVENT_BUS_URL', 'http://bus:4005', /no part is at http:..bus/],
  ['an image that is another part’s', 'container image', 'blog-query', /posts: image/],
  ['a label of another version', 'pod-template metadata labels app.kubernetes.io/version', '2', /posts: pod’s labels/],
  ['a selector that finds nothing', 'Service spec selector app.kubernetes.io/name', 'post', /srv: selector/],
  ['a version in a selector', 'StatefulSet spec selector matchLabels version', '1.0.0', /posts: selector/],
  ['settings that are not read', 'container envFrom', undefined, /posts: envFrom/],
  ['settings whose name stays', 'ConfigMap metadata annotations', undefined, /needsHashSuffix/],

  ['a missing probe', 'container readinessProbe', undefined, /posts: readinessProbe/],
  ['a missing limit', 'container resources limits memory', undefined, /posts: no limits of memory/],
  ['too much CPU requested together', 'container resources requests cpu', '1', /requested together: .* CPU/],
  ['too much memory requested together', 'container resources requests memory', '1Gi', /requested together: .* bytes/],
  ['a database that runs twice', 'StatefulSet spec replicas', 2, /posts: replicas/],
  ['OrderedReady', 'StatefulSet spec podManagementPolicy', undefined, /posts: podManagementPolicy/],
  ['a storageClassName', 'StatefulSet spec volumeClaimTemplates 0 spec storageClassName', 'x', /storageClassName/],
  ['an Always', 'container imagePullPolicy', 'Always', /posts: imagePullPolicy is Always/],

  ['a Secret', 'texts a.yaml', 'apiVersion: v1\nkind: Secret\n', /a.yaml: a secret/],
  ['a password among the settings', 'texts a.yaml', '  DB_PASSWORD: hunter2\n', /a secret. PASSWORD/],
  ['a token in a command', 'texts a.md', 'curl -H token=abcdef\n', /a secret. token/],
  ['a part that is not listed', 'listed 1', undefined, /resources/],
  ['the Namespace among the manifests', 'Service kind', 'Namespace', /a Namespace/],

  ['a synced path that does not exist', 'skaffold build artifacts 0 sync manual 0 src', 'posts/x/**', /at posts.x/],
  ['a Dockerfile that does not exist', 'skaffold build artifacts 0 docker dockerfile', 'x/Dockerfile', /there is no x/],
  ['a part that is not built', 'skaffold build artifacts 0', undefined, /no artifact blog-posts/],
  ['a port that is not forwarded', 'skaffold portForward 0', undefined, /portForward/],
  ['a port forwarded elsewhere', 'skaffold portForward 0 namespace', 'default', /portForward.*default/],

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

// What kustomize makes of them. `kubectl` has it built in; where there is none, these are skipped.
const kubectl = (...args: string[]) => spawnSync('kubectl', args, { cwd: root, encoding: 'utf8' });
const [, minor = 0] = /"gitVersion": "v1\.(\d+)/.exec(kubectl('version', '--client', '-o', 'json').stdout ?? '') ?? [];

const HASHED = /-settings-[a-z0-9]{10}$/;

function render(overlay: string): Manifest[] {
  const { status, stdout, stderr } = kubectl('kustomize', join('infra', overlay));
  if (status !== 0) throw new Error(stderr);
  return readDocuments(stdout);
}

/** By kind and name, the hash left out of the names of settings. */
const byName = (manifests: Manifest[]) =>
  Object.fromEntries(
    manifests.map((manifest) => {
      const plain = JSON.parse(JSON.stringify(manifest).replace(/-settings-[a-z0-9]{10}"/g, '-settings"')) as Manifest;
      return [`${plain.kind} ${plain.metadata.name}`, plain];
    }),
  );

const changes = (from: Manifest[], to: Manifest[]) =>
  differences(byName(to), byName(from))
    .map(({ path }) => path)
    .map((path) => path.replace('/spec/template/spec/containers/0/', ' container '));

(Number(minor) >= 30 ? describe : describe.skip)('rendered by kustomize', () => {
  const overlays = ['k8s', 'development', 'development-own-service'];
  const development = 2 * 2 ** 30;

  test('production is the plain manifests, in the namespace blog', () => {
    const plain = project.manifests.map(({ metadata: { annotations, ...metadata }, ...rest }) => ({
      ...rest,
      metadata: { ...metadata, namespace: 'blog' },
    })) as Manifest[];
    expect(changes(plain, render('k8s'))).toEqual([]);
  });

  test.each(overlays)('%s: settings are used under a name that changes with them', (overlay) => {
    const manifests = render(overlay);
    const names = manifests.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata }) => metadata.name);
    const used = JSON.stringify(manifests).match(/"configMapRef":{"name":"[^"]+/g) ?? [];
    expect(names).toEqual(parts.map(() => expect.stringMatching(HASHED)));
    expect(used.map((text) => text.split('"').at(-1)).toSorted()).toEqual(names.toSorted());
  });

  test.each(overlays.slice(1))(
    '%s: development has the same rights, but for a root that file sync may write',
    (overlay) => {
      expect(unrestricted({ manifests: render(overlay) }, true)).toEqual([]);
    },
  );

  test.each(overlays.slice(1))('%s: development requests at most 1 CPU and 2 GiB', (overlay) => {
    expect(tooMuch({ manifests: render(overlay) }, 1, development)).toEqual([]);
  });

  test('development changes how a part is run and watched, and nothing else', () => {
    const allowed = [
      /^ConfigMap \S+\/data\/NODE_ENV$/,
      /^ConfigMap client-settings\/data\/CONTROL$/,
      /^\S+ \S+ container (livenessProbe|readinessProbe|resources|env|volumeMounts)(\/|$)/,
      /^\S+ \S+ container securityContext\/readOnlyRootFilesystem$/,
      /^\S+ \S+\/spec\/(replicas$|template\/spec\/volumes\/)/,
    ];
    const changed = changes(render('k8s'), render('development'));
    expect(changed.filter((path) => !allowed.some((pattern) => pattern.test(path)))).toEqual([]);
    expect(changed.filter((path) => path.endsWith('livenessProbe'))).toHaveLength(parts.length);
  });

  test('a service of one’s own differs from moderation in its image, its probe and its environment', () => {
    expect(changes(render('development'), render('development-own-service')).toSorted()).toEqual([
      'StatefulSet moderation container env',
      'StatefulSet moderation container image',
      'StatefulSet moderation container readinessProbe/httpGet',
      'StatefulSet moderation container readinessProbe/tcpSocket',
    ]);
  });
});
