// The rules for manifests. Each is a function that returns what is wrong, as a list of sentences.
import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { isAllowed, type Place, type Policy } from './policies.ts';
import { type Container, type Manifest, type PodSpec, type Project, parts, root, type Workload } from './project.ts';

type Workloads = { manifest: Manifest; name: string; spec: Workload; pod: PodSpec; container: Container }[];

const named = ({ manifests }: Project, kind: string, name: string) =>
  manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);

const workloads = ({ manifests }: Pick<Project, 'manifests'>): Workloads =>
  manifests
    .filter(({ spec }) => spec && 'template' in spec)
    .map((manifest) => {
      const spec = manifest.spec as Workload;
      const pod = spec.template.spec;
      return { manifest, name: manifest.metadata.name, spec, pod, container: pod.containers[0] as Container };
    });

/** The paths at which two values differ, with both values. Where one side has nothing, the path of what is missing. */
export function differences(is: unknown, should: unknown, path = ''): { path: string; text: string }[] {
  const isObject = (value: unknown) => typeof value === 'object' && value !== null;
  if (isObject(is) && isObject(should)) {
    const [a, b] = [is, should] as Record<string, unknown>[];
    return Object.keys({ ...a, ...b }).flatMap((key) => differences(a?.[key], b?.[key], path ? `${path}/${key}` : key));
  }
  return is === should ? [] : [{ path, text: `${path} is ${JSON.stringify(is)} instead of ${JSON.stringify(should)}` }];
}

// Pod Security "restricted", and more: as whole objects, so that nothing can stand beside what is asked.
const POD_SECURITY = {
  runAsNonRoot: true,
  runAsUser: 1000,
  runAsGroup: 1000,
  fsGroup: 1000,
  fsGroupChangePolicy: 'OnRootMismatch',
  seccompProfile: { type: 'RuntimeDefault' },
};
const CONTAINER_SECURITY = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  readOnlyRootFilesystem: true,
};
const VOLUMES = ['name', 'emptyDir', 'configMap', 'persistentVolumeClaim'];

/** `writableRoot`: in development, where file sync writes. */
export function unrestricted(project: Pick<Project, 'manifests'>, writableRoot = false): string[] {
  return workloads(project).flatMap(({ name, pod }) => [
    ...differences(pod.securityContext, POD_SECURITY, `${name}: securityContext`).map(({ text }) => text),
    ...pod.containers.flatMap(({ securityContext }) =>
      differences(
        securityContext,
        { ...CONTAINER_SECURITY, readOnlyRootFilesystem: !writableRoot },
        `${name}: container’s securityContext`,
      ).map(({ text }) => text),
    ),
    ...['automountServiceAccountToken', 'enableServiceLinks']
      .filter((key) => pod[key] !== false)
      .map((key) => `${name}: ${key} is not false`),
    ...['hostNetwork', 'hostPID', 'hostIPC', 'initContainers', 'ephemeralContainers', 'serviceAccountName']
      .filter((key) => key in pod)
      .map((key) => `${name} has ${key}`),
    ...(pod.containers.some(({ ports }) => ports.some((port) => 'hostPort' in port)) ? [`${name} has a hostPort`] : []),
    ...(pod.volumes ?? [])
      .flatMap((volume) => Object.keys(volume))
      .filter((key) => !VOLUMES.includes(key))
      .map((key) => `${name} has a volume of type ${key}`),
  ]);
}

const UNITS: Record<string, number> = { m: 1e-3, '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };
const amount = (text = '') => parseFloat(text) * (UNITS[text.replace(/[\d.]+/, '')] ?? Number.NaN);

/** What all pods together request, at most `cpu` cores and `memory` bytes. */
export function tooMuch(project: Pick<Project, 'manifests'>, cpu: number, memory: number): string[] {
  const total = (what: 'cpu' | 'memory') =>
    workloads(project).reduce(
      (sum, { spec, container }) => sum + spec.replicas * amount(container.resources?.requests?.[what]),
      0,
    );
  return [
    ...(total('cpu') <= cpu ? [] : [`requested together: ${total('cpu')} CPU, more than ${cpu}`]),
    ...(total('memory') <= memory ? [] : [`requested together: ${total('memory')} bytes, more than ${memory}`]),
  ];
}

function imageProblems({ dockerfiles, versions }: Project): string[] {
  return parts.flatMap(({ name, port }) => {
    const text = dockerfiles[name] ?? '';
    const stages = [...text.matchAll(/^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?/gim)];
    const names = stages.map(([, , stage]) => stage);
    const problems = ['development', 'production']
      .filter((target) => !names.includes(target))
      .map((target) => `${name}/Dockerfile has no target ${target}`);
    for (const [, base = ''] of stages.filter(([, base]) => !names.includes(base))) {
      const [image, tag = 'latest'] = base.split(':');
      if (!/\d/.test(tag) || tag.includes('latest')) problems.push(`${name}/Dockerfile: ${base} is not pinned`);
      else if (image === 'node' && tag.split('-')[0] !== versions.node) {
        problems.push(`${name}/Dockerfile: ${base} is not Node ${versions.node} of package.json`);
      }
    }
    const said = [...text.matchAll(/(?:image\.version|\bVERSION)="?([^"\s]+)/g)].map(([, version]) => version);
    if (said.length === 0) problems.push(`${name}/Dockerfile does not label its version`);
    for (const version of said) {
      if (version !== versions.blog) problems.push(`${name}/Dockerfile says version ${version}, not ${versions.blog}`);
    }
    for (const [, exposed] of text.matchAll(/^EXPOSE (.*)$/gm)) {
      if (exposed !== String(port)) problems.push(`${name}/Dockerfile exposes ${exposed}, not ${port}`);
    }
    return problems;
  });
}

function nameProblems(project: Project): string[] {
  const addresses = parts.map(({ service, port }) => `http://${service}:${port}`);
  const all = workloads(project).map(({ name }) => name);
  const names = parts.map(({ name }) => name);
  return [
    ...differences(all.toSorted(), names.toSorted(), 'workloads').map(({ text }) => text),
    ...parts.flatMap(({ name, service, port }) => {
      const { container } = workloads(project).find((workload) => workload.name === name) ?? {};
      const settings = named(project, 'ConfigMap', `${name}-settings`)?.data ?? {};
      const urls = Object.values(settings).flatMap((value) => value.match(/https?:\/\/[^/,\s]+/g) ?? []);
      return [
        ...differences(container?.name, name, `${name}: container`),
        ...differences(container?.image, `blog-${name}`, `${name}: image`),
        ...differences(container?.ports, [{ name: 'http', containerPort: port }], `${name}: ports`),
        ...differences(settings.PORT, String(port), `${name}: PORT`),
        ...differences(
          named(project, 'Service', service)?.spec.ports,
          [{ name: 'http', port, targetPort: 'http' }],
          `${service}: ports`,
        ),
        ...urls.filter((url) => !addresses.includes(url)).map((url) => ({ text: `${name}: no part is at ${url}` })),
      ].map(({ text }) => text);
    }),
  ];
}

function selectorProblems(project: Project): string[] {
  return parts.flatMap(({ name, service }) => {
    const workload = workloads(project).find((each) => each.name === name);
    const labels = { 'app.kubernetes.io/name': name, 'app.kubernetes.io/part-of': 'blog' };
    const { 'app.kubernetes.io/component': component, ...has } = workload?.spec.template.metadata.labels ?? {};
    const policy = named(project, 'NetworkPolicy', name)?.spec.podSelector as Workload['selector'] | undefined;
    return [
      ...differences(has, { ...labels, 'app.kubernetes.io/version': project.versions.blog }, `${name}: pod’s labels`),
      ...differences(workload?.manifest.metadata.labels, { ...has, 'app.kubernetes.io/component': component }, name),
      ...differences(typeof component, 'string', `${name}: component`),
      ...differences(workload?.spec.selector, { matchLabels: labels }, `${name}: selector`),
      ...differences(named(project, 'Service', service)?.spec.selector, labels, `${service}: selector`),
      ...differences(policy, { matchLabels: labels }, `policy ${name}: selector`),
    ].map(({ text }) => text);
  });
}

/** A setting reaches its pods: by envFrom, and by a name that changes with it. */
function settingsProblems(project: Project): string[] {
  return workloads(project).flatMap(({ name, container }) => {
    const settings = named(project, 'ConfigMap', `${name}-settings`);
    const annotation = settings?.metadata.annotations?.['internal.config.kubernetes.io/needsHashSuffix'];
    return [
      ...differences(container.envFrom, [{ configMapRef: { name: `${name}-settings` } }], `${name}: envFrom`),
      ...differences(annotation, 'enabled', `${name}-settings: needsHashSuffix`),
    ].map(({ text }) => text);
  });
}

const probeProblems = (project: Project) =>
  workloads(project)
    .flatMap(({ name, container: { livenessProbe, readinessProbe, resources } }) => [
      ...differences(livenessProbe?.httpGet, { path: '/healthz', port: 'http' }, `${name}: livenessProbe`),
      ...differences(readinessProbe?.httpGet, { path: '/readyz', port: 'http' }, `${name}: readinessProbe`),
      ...(['requests', 'limits'] as const).flatMap((kind) =>
        (['cpu', 'memory'] as const)
          .filter((what) => !(amount(resources?.[kind]?.[what]) > 0))
          .map((what) => ({ text: `${name}: no ${kind} of ${what}` })),
      ),
    ])
    .map(({ text }) => text);

/** A database has one writer, its volume fits every cluster, and a broken pod is replaced by its fix. */
const databaseProblems = (project: Project) =>
  workloads(project).flatMap(({ manifest, name, spec }) => {
    const part = parts.find((each) => each.name === name);
    if (name === 'client') return manifest.kind === 'Deployment' ? [] : ['client is no Deployment'];
    const claims = spec.volumeClaimTemplates ?? [];
    return [
      ...differences(manifest.kind, 'StatefulSet', `${name}: kind`),
      ...differences(spec.replicas, 1, `${name}: replicas`),
      ...differences(spec.podManagementPolicy, 'Parallel', `${name}: podManagementPolicy`),
      ...differences(spec.serviceName, part?.service, `${name}: serviceName`),
      ...differences(claims.length, 1, `${name}: claims`),
      ...claims
        .filter((claim) => 'storageClassName' in claim.spec)
        .map(() => ({ text: `${name}: a storageClassName` })),
    ].map(({ text }) => text);
  });

const pullProblems = (project: Project) =>
  workloads(project)
    .filter(({ container }) => container.imagePullPolicy !== 'IfNotPresent')
    .map(({ name, container }) => `${name}: imagePullPolicy is ${container.imagePullPolicy}`);

const SECRET = [
  /^\s*(?:- )?kind:\s*Secret\b/im,
  /(?:password|passwd|token|secret|credential|api_?key)\w*["']?\s*[:=]\s*["']?(?!(?:false|true|null)\b)[\w+/-]/i,
  /-----BEGIN|\beyJ[\w-]{10,}\.|\bAKIA\w{12,}|:\/\/[^\s/@]+:[^\s/@]+@/,
];
const secretProblems = ({ texts }: Project) =>
  Object.entries(texts).flatMap(([file, text]) =>
    SECRET.flatMap((pattern) => text.match(pattern)?.[0] ?? []).map((found) => `${file}: a secret? ${found.trim()}`),
  );

function listProblems({ listed, manifests }: Project): string[] {
  const files = ['network.yaml', ...parts.map(({ name }) => `${name}.yaml`)];
  return [
    ...differences(listed.toSorted(), files.toSorted(), 'resources').map(({ text }) => text),
    ...manifests.filter(({ kind }) => kind === 'Namespace').map(() => 'a Namespace is among what Skaffold deletes'),
  ];
}

function skaffoldProblems({ skaffold }: Project): string[] {
  const replaced = (skaffold.profiles ?? []).flatMap(({ patches = [] }) => patches.map(({ value }) => value));
  const artifacts = [
    ...skaffold.build.artifacts,
    ...replaced.filter((value) => value instanceof Object && 'image' in value),
  ] as typeof skaffold.build.artifacts;
  const images = artifacts.map(({ image }) => image);
  const forwarded = skaffold.portForward.map(({ resourceName, namespace, port, localPort }) => [
    resourceName,
    namespace,
    port,
    localPort,
  ]);
  const byPort = (list: unknown[][]) => list.toSorted((a, b) => Number(a[2]) - Number(b[2]));
  return [
    ...parts
      .filter(({ name }) => !images.includes(`blog-${name}`))
      .map(({ name }) => `skaffold.yaml has no artifact blog-${name}`),
    ...artifacts.flatMap(({ image, context = '.', docker, sync }) => [
      ...[join(context, docker?.dockerfile ?? 'Dockerfile')]
        .filter((file) => !existsSync(join(root, file)))
        .map((file) => `${image}: there is no ${file}`),
      ...(sync?.manual ?? [])
        .filter(({ src }) => globSync(src, { cwd: join(root, context) }).length === 0)
        .map(({ src }) => `${image}: nothing to sync at ${src}`),
    ]),
    ...differences(
      byPort(forwarded),
      byPort(parts.map(({ service, port }) => [service, 'blog', port, port])),
      'portForward',
    ).map(({ text }) => text),
  ];
}

// Who is not one of the parts: outside of the cluster, another namespace's pod, DNS, one of ours that no part's file knows.
const FOREIGN: Record<string, Place> = {
  outside: 'outside',
  neighbour: { namespace: 'default', labels: { 'app.kubernetes.io/name': 'client' } },
  dns: { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } },
};

const places = (project: Project): Record<string, Place> => ({
  ...FOREIGN,
  stranger: { namespace: 'blog', labels: {} },
  ...Object.fromEntries(
    workloads(project).map(({ name, spec }) => [name, { namespace: 'blog', labels: spec.template.metadata.labels }]),
  ),
});

const policies = ({ manifests }: Project): Policy[] =>
  manifests
    .filter(({ kind }) => kind === 'NetworkPolicy')
    .map(({ metadata, spec }) => ({ metadata: { ...metadata, namespace: 'blog' }, spec }));

/** Every pair of places, every port: what is an arrow is allowed, and nothing else. */
function arrowProblems(project: Project): string[] {
  const everywhere = Object.entries(places(project));
  const ports = [...parts.map(({ port }) => port), 53, 80, 443, 8080];
  return everywhere.flatMap(([from, source]) =>
    everywhere
      .filter(([to]) => !(from in FOREIGN && to in FOREIGN))
      .flatMap(([to, target]) =>
        ports.flatMap((port) => {
          const part = parts.find(({ name }) => name === from);
          const isArrow =
            (to in FOREIGN && port === 53) ||
            (parts.find(({ name }) => name === to)?.port === port &&
              (from in FOREIGN ? to === 'client' : (part?.connectsTo.includes(to) ?? false)));
          const allowed = isAllowed(policies(project), source, target, port);
          return allowed === isArrow ? [] : [`${from} → ${to}:${port} is ${allowed ? '' : 'not '}allowed`];
        }),
      ),
  );
}

function dnsProblems(project: Project): string[] {
  return Object.entries(places(project))
    .filter(([from]) => !(from in FOREIGN))
    .flatMap(([from, source]) =>
      ['UDP', 'TCP'].flatMap((protocol) =>
        ['dns', 'outside']
          .filter((to) => !isAllowed(policies(project), source, FOREIGN[to] as Place, 53, protocol))
          .map((to) => `${from} cannot ask ${to} by ${protocol}`),
      ),
    );
}

/** The rules, by their title. */
export const rules: Record<string, (project: Project) => string[]> = {
  'every container has no more rights than Pod Security "restricted" leaves it': (project) => unrestricted(project),
  'every image has a development and a production target, of pinned versions': imageProblems,
  'names, ports and addresses are those of the table': nameProblems,
  'labels and selectors find what they mean': selectorProblems,
  'a corrected setting reaches its pods': settingsProblems,
  'every part has probes, and says what it needs': probeProblems,
  'all parts together request at most 1 CPU and 1 GiB': (project) => tooMuch(project, 1, 2 ** 30),
  'a database runs once, on any cluster’s default volumes': databaseProblems,
  'an image that was loaded into the node is used': pullProblems,
  'nothing here is secret': secretProblems,
  'the kustomization lists the parts and the network, and never the Namespace': listProblems,
  'Skaffold builds, syncs and forwards what there is': skaffoldProblems,
  'who may connect to whom are exactly the arrows of the design': arrowProblems,
  'every pod may ask DNS, wherever it is': dnsProblems,
};
