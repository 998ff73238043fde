// The rules for a part's own manifests. Each rule returns the problems, as sentences.
import { LONGEST_END } from '../../common/src/run/service.ts';
import { compare } from './differences.ts';
import { named, type Project, parts, type Workload, workloads } from './project.ts';

// Pod Security "restricted", and more. Compared as whole objects, so that no further field is accepted.
const POD_SECURITY = {
  runAsNonRoot: true,
  runAsUser: 1000,
  runAsGroup: 1000,
  fsGroup: 1000,
  fsGroupChangePolicy: 'OnRootMismatch',
  seccompProfile: { type: 'RuntimeDefault' },
};
export const CONTAINER_SECURITY = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  readOnlyRootFilesystem: true,
};
const NEVER = ['hostNetwork', 'hostPID', 'hostIPC', 'initContainers', 'ephemeralContainers', 'serviceAccountName'];
const VOLUMES = ['name', 'emptyDir', 'configMap', 'persistentVolumeClaim'];

/** `writableRoot`: in development, where file sync writes. `users`: by name of workload, where it is not user 1000. */
export function rights(
  project: Pick<Project, 'manifests'>,
  writableRoot = false,
  users: Record<string, object> = {},
): string[] {
  const expected = { ...CONTAINER_SECURITY, readOnlyRootFilesystem: !writableRoot };
  return workloads(project).flatMap(({ name, pod, container }) => [
    ...compare(`${name}: containers`, pod.containers.length, 1),
    ...compare(`${name}: pod’s securityContext`, pod.securityContext, { ...POD_SECURITY, ...users[name] }),
    ...compare(`${name}: container’s securityContext`, container.securityContext, expected),
    ...compare(`${name}: automountServiceAccountToken`, pod.automountServiceAccountToken, false),
    ...compare(`${name}: enableServiceLinks`, pod.enableServiceLinks, false),
    ...NEVER.flatMap((key) => compare(`${name}: ${key}`, pod[key], undefined)),
    ...container.ports.flatMap((port) => compare(`${name}: hostPort`, port.hostPort, undefined)),
    ...(pod.volumes ?? [])
      .flatMap((volume) => Object.keys(volume))
      .filter((key) => !VOLUMES.includes(key))
      .map((key) => `${name} has a volume of type ${key}`),
  ]);
}

const UNITS: Record<string, number> = { m: 1e-3, '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };
const amount = (text = '') => parseFloat(text) * (UNITS[text.replace(/[\d.]+/, '')] ?? Number.NaN);

/** The requests of all pods together: at most `cpu` cores and `memory` bytes. */
export function totals(project: Pick<Project, 'manifests'>, limits: { cpu: number; memory: number }): string[] {
  return (['cpu', 'memory'] as const).flatMap((what) => {
    const requested = workloads(project).map(
      ({ spec, container }) => spec.replicas * amount(container.resources?.requests?.[what]),
    );
    const total = requested.reduce((sum, each) => sum + each, 0);
    return total <= limits[what] ? [] : [`requested together: ${total} of ${what}, not ${limits[what]}`];
  });
}

export function namesAndPorts(project: Project): string[] {
  const addresses = parts.flatMap(({ name, service, port }) => [
    `http://${service}:${port}`,
    `http://${name}-*.${name}:${port}`,
  ]);
  return parts.flatMap(({ name, service, port }) => {
    const container = workloads(project).find((workload) => workload.name === name)?.container;
    const settings = named(project, 'ConfigMap', `${name}-settings`)?.data ?? {};
    const urls = Object.values(settings).flatMap((value) => value.match(/https?:\/\/[^/,\s]+/g) ?? []);
    return [
      ...compare(`${name}: container`, container?.name, name),
      ...compare(`${name}: image`, container?.image, `blog-${name}`),
      ...compare(`${name}: ports`, container?.ports, [{ name: 'http', containerPort: port }]),
      ...compare(`${name}: PORT`, settings.PORT, String(port)),
      ...compare(service, named(project, 'Service', service)?.spec, {
        type: 'ClusterIP',
        selector: { 'app.kubernetes.io/name': name, 'app.kubernetes.io/part-of': 'blog' },
        ports: [{ name: 'http', port, targetPort: 'http' }],
      }),
      ...urls.filter((url) => !addresses.includes(url)).map((url) => `${name}: no part is at ${url}`),
    ];
  });
}

/** Each copy has a name in DNS, `posts-0.posts`: a headless Service, which names pods that are not Ready, too. */
export const copiesNames = (project: Project): string[] =>
  parts
    .filter(({ name }) => name !== 'client')
    .flatMap(({ name, port }) =>
      compare(`Service ${name}`, named(project, 'Service', name)?.spec, {
        type: 'ClusterIP',
        clusterIP: 'None',
        publishNotReadyAddresses: true,
        selector: { 'app.kubernetes.io/name': name, 'app.kubernetes.io/part-of': 'blog' },
        ports: [{ name: 'http', port, targetPort: 'http' }],
      }),
    );

export function labels(project: Project): string[] {
  return workloads(project).flatMap(({ name, manifest, spec }) => {
    const found = { 'app.kubernetes.io/name': name, 'app.kubernetes.io/part-of': 'blog' };
    const has = spec.template.metadata.labels;
    const policy = named(project, 'NetworkPolicy', name)?.spec.podSelector as Workload['selector'] | undefined;
    return [
      ...compare(`${name}: pod’s labels`, has, {
        ...found,
        'app.kubernetes.io/component': has['app.kubernetes.io/component'] ?? 'service',
        'app.kubernetes.io/version': project.versions.blog,
      }),
      ...compare(`${name}: labels`, manifest.metadata.labels, has),
      ...compare(`${name}: selector`, spec.selector, { matchLabels: found }),
      ...compare(`policy ${name}: selector`, policy, { matchLabels: found }),
    ];
  });
}

/** Settings come by envFrom, under a name that changes with the content. */
export const settings = (project: Project): string[] =>
  workloads(project).flatMap(({ name, container }) => {
    const annotations = named(project, 'ConfigMap', `${name}-settings`)?.metadata.annotations;
    return [
      ...compare(`${name}: envFrom`, container.envFrom, [{ configMapRef: { name: `${name}-settings` } }]),
      ...compare(`${name}-settings`, annotations, { 'internal.config.kubernetes.io/needsHashSuffix': 'enabled' }),
    ];
  });

/** Without the Secret, or without its key, a pod waits; with `optional`, or by `envFrom`, it would start without a token. */
const TOKEN = { name: 'BUS_TOKEN', valueFrom: { secretKeyRef: { name: 'bus-token', key: 'token' } } };

/** The name of a copy is that of its pod. */
const COPY_NAME = { name: 'COPY_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } };

/** The client has neither: it sends no events, does not control the bus, and may have replicas. */
export const environment = (project: Project): string[] =>
  workloads(project).flatMap(({ name, container }) =>
    compare(`${name}: env`, container.env, name === 'client' ? undefined : [TOKEN, COPY_NAME]),
  );

/** A server's probe is one command that waits, so that a start logs no warning; nginx's image may lack that shell. */
const STARTED = {
  exec: { command: ['bash', '-c', 'until true > /dev/tcp/127.0.0.1/$PORT; do sleep 0.1; done 2> /dev/null'] },
  ...{ periodSeconds: 1, timeoutSeconds: 120, failureThreshold: 1 },
};
const GATEWAY_STARTED = {
  httpGet: { path: '/healthz', port: 'http' },
  ...{ initialDelaySeconds: 1, periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 120 },
};

export const probesAndResources = (project: Project): string[] =>
  workloads(project).flatMap(({ name, container: { startupProbe, livenessProbe, readinessProbe } }) => [
    ...compare(`${name}: startupProbe`, startupProbe, name === 'client' ? GATEWAY_STARTED : STARTED),
    ...compare(`${name}: livenessProbe`, livenessProbe?.httpGet, { path: '/healthz', port: 'http' }),
    ...compare(`${name}: readinessProbe`, readinessProbe?.httpGet, { path: '/readyz', port: 'http' }),
    ...resources(project, name),
  ]);

/** The longest end of a node of NATS, in seconds: its lame-duck mode, and a second in which it hands over what it leads. */
const LAME_DUCK = 31;

/** SIGKILL follows at least 2 s after the longest graceful shutdown of a part. */
export const endings = (project: Project): string[] =>
  workloads(project).flatMap(({ name, pod, container: { lifecycle } }) => {
    const ends = name === 'client' ? project.gatewayEnds : name === 'nats' ? LAME_DUCK : LONGEST_END / 1000;
    const needed = (lifecycle?.preStop.sleep?.seconds ?? 0) + ends + 2;
    const given = pod.terminationGracePeriodSeconds ?? 0;
    return given >= needed ? [] : [`${name}: is killed after ${given} s, and needs ${needed}`];
  });

/** A drain evicts one client at a time, and is never blocked by a server, which runs once. */
export const disruptions = ({ manifests }: Project): string[] =>
  compare(
    'budgets',
    manifests.filter(({ kind }) => kind === 'PodDisruptionBudget').map(({ metadata, spec }) => [metadata.name, spec]),
    [
      [
        'client',
        {
          maxUnavailable: 1,
          unhealthyPodEvictionPolicy: 'AlwaysAllow',
          selector: { matchLabels: { 'app.kubernetes.io/name': 'client', 'app.kubernetes.io/part-of': 'blog' } },
        },
      ],
    ],
  );

/** Every workload has requests and limits. */
export const resources = (project: Pick<Project, 'manifests'>, of: string): string[] =>
  workloads(project)
    .filter(({ name }) => name === of)
    .flatMap(({ name, container: { resources } }) =>
      (['requests', 'limits'] as const).flatMap((kind) =>
        (['cpu', 'memory'] as const)
          .filter((what) => !(amount(resources?.[kind]?.[what]) > 0))
          .map((what) => `${name}: no ${kind} of ${what}`),
      ),
    );

/** One writer; a volume that every cluster can make; a broken pod that is replaced by its fix. */
export const databases = (project: Project): string[] =>
  workloads(project).flatMap(({ manifest, name, spec }) => {
    if (name === 'client') return compare('client: kind', manifest.kind, 'Deployment');
    const claims = spec.volumeClaimTemplates ?? [];
    return [
      ...compare(`${name}: kind`, manifest.kind, 'StatefulSet'),
      ...compare(`${name}: replicas`, spec.replicas, 1),
      ...compare(`${name}: podManagementPolicy`, spec.podManagementPolicy, 'Parallel'),
      ...compare(`${name}: serviceName`, spec.serviceName, name),
      ...compare(`${name}: claims`, claims.length, 1),
      ...claims.flatMap(({ spec: { storageClassName, accessModes } }) => [
        ...compare(`${name}: storageClassName`, storageClassName, undefined),
        ...compare(`${name}: accessModes`, accessModes, ['ReadWriteOnce']),
      ]),
    ];
  });

export const pulls = (project: Project): string[] =>
  workloads(project).flatMap(({ name, container }) =>
    compare(`${name}: imagePullPolicy`, container.imagePullPolicy, 'IfNotPresent'),
  );
