// The rules for what copies of every part add (infra/scaled). Each rule returns the problems, as sentences.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { compare } from './differences.ts';
import * as network from './network-rules.ts';
import { servers } from './observability-rules.ts';
import * as pods from './pod-rules.ts';
import { copyOf, type Manifest, named, type Project, readDocuments, readProject, root, workloads } from './project.ts';

const NODES = ['nats-0.nats', 'nats-1.nats', 'nats-2.nats'];
const PORTS = { client: 4222, cluster: 6222, monitor: 8222 };
const FOUND = { 'app.kubernetes.io/name': 'nats', 'app.kubernetes.io/part-of': 'blog' };

export type Scaled = {
  blog: Project;
  manifests: Manifest[];
  /** The configuration file of a node. */
  config: string;
  component: {
    resources: string[];
    replicas: { name: string; count: number }[];
    configMapGenerator: { name: string; namespace: string; files: string[] }[];
    patches: { target: { kind: string; name: string }; patch: string }[];
  };
  /** The autoscalers, which are not part of the component. */
  autoscalers: Manifest[];
};

const read = (file: string) => readFileSync(join(root, 'infra', 'scaled', file), 'utf8');

export const readScaled = copyOf((): Scaled => {
  const component = parse(read('kustomization.yaml')) as Scaled['component'];
  return {
    blog: readProject(),
    manifests: component.resources.flatMap((file) => readDocuments(read(file))),
    config: read('nats/nats.conf'),
    component,
    autoscalers: readDocuments(read('optional/autoscaling.yaml')),
  };
});

const node = ({ manifests }: Scaled) => workloads({ manifests }).find(({ name }) => name === 'nats');
const scaledProject = ({ blog, manifests }: Scaled): Project => ({ ...blog, manifests });

export const rights = (scaled: Scaled) => pods.rights(scaled);
export const endings = (scaled: Scaled) => pods.endings(scaledProject(scaled));
export const needs = (scaled: Scaled) => pods.resources(scaled, 'nats');

// The kinds that the rules cover: no Secret, and no rights in the cluster.
const KINDS = ['NetworkPolicy', 'PodDisruptionBudget', 'Service', 'StatefulSet'];

export const placesAndNames = ({ manifests }: Scaled) =>
  manifests.flatMap(({ kind, metadata: { name, namespace, labels } }) => [
    ...(KINDS.includes(kind) ? [] : [`there is a ${kind}`]),
    ...compare(`${kind} ${name}: namespace`, namespace, 'blog'),
    ...compare(`${kind} ${name}: part of`, labels['app.kubernetes.io/part-of'], 'blog'),
  ]);

/** Three nodes that start together, each on a volume and under a name of its own. */
export function nodes(scaled: Scaled): string[] {
  const found = node(scaled);
  const labels = { ...FOUND, 'app.kubernetes.io/component': 'quorum' };
  const claim = found?.spec.volumeClaimTemplates?.[0]?.spec;
  const version = found?.spec.template.metadata.labels['app.kubernetes.io/version'];
  return [
    ...compare('nodes', found?.spec.replicas, NODES.length),
    ...compare('podManagementPolicy', found?.spec.podManagementPolicy, 'Parallel'),
    ...compare('serviceName', found?.spec.serviceName, 'nats'),
    ...compare('selector', found?.spec.selector, { matchLabels: FOUND }),
    ...compare('pod’s labels', found?.spec.template.metadata.labels, {
      ...labels,
      'app.kubernetes.io/version': /^nats:(\d+\.\d+\.\d+)-alpine$/.exec(found?.container.image ?? '')?.[1],
    }),
    ...compare('labels', found?.manifest.metadata.labels, { ...labels, 'app.kubernetes.io/version': version }),
    ...compare('imagePullPolicy', found?.container.imagePullPolicy, 'IfNotPresent'),
    ...compare(
      'ports',
      found?.container.ports,
      Object.entries(PORTS).map(([name, containerPort]) => ({ name, containerPort })),
    ),
    ...compare('accessModes', claim?.accessModes, ['ReadWriteOnce']),
    ...compare('storageClassName', claim?.storageClassName, undefined),
    ...compare('Service', named(scaledProject(scaled), 'Service', 'nats')?.spec, {
      type: 'ClusterIP',
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      selector: FOUND,
      ports: (['client', 'cluster'] as const).map((name) => ({ name, port: PORTS[name], targetPort: name })),
    }),
  ];
}

/** Only the readiness of a node depends on the others; a restart would not bring them back. */
export function probes(scaled: Scaled): string[] {
  const { startupProbe, livenessProbe, readinessProbe, lifecycle } = node(scaled)?.container ?? {};
  const process = { path: '/healthz?js-server-only=true', port: 'monitor' };
  return [
    ...compare('startupProbe', startupProbe?.httpGet, process),
    ...compare('livenessProbe', livenessProbe?.httpGet, process),
    ...compare('readinessProbe', readinessProbe?.httpGet, { path: '/healthz', port: 'monitor' }),
    ...compare('preStop', lifecycle?.preStop.exec?.command, ['nats-server', '--signal', 'ldm=1']),
  ];
}

/** The lines of a node's configuration on which the log depends. */
const LINES = [
  'store_dir: /data',
  'sync_interval: always',
  'no_advertise: true',
  'token: $QUOTED',
  'password: $QUOTED',
  'lame_duck_duration: 30s',
  ...Object.values(PORTS).map((port) => new RegExp(`^ *(http_)?port: ${port}$`, 'm')),
];

/** The configuration, and the variables in it. Both they and the bus take the token from the one Secret. */
export function configuration(scaled: Scaled): string[] {
  const { config, component } = scaled;
  const env = node(scaled)?.container.env ?? [];
  const used = [...config.matchAll(/^[^#\n]*?\$.*$/gm)].flatMap(([line]) => line.match(/\$\w+/g) ?? []);
  const missing = [...new Set(used)].filter((name) => !env.some((it) => `$${it.name}` === name));
  const value = (name: string) => env.find((it) => it.name === name)?.value;
  const secret = { secretKeyRef: { name: 'nats-token', key: 'token' } };
  return [
    ...LINES.filter((line) => (line instanceof RegExp ? !line.test(config) : !config.includes(`${line}\n`))).map(
      (line) => `nats.conf lacks ${line}`,
    ),
    ...missing.map((name) => `nats.conf: ${name} is not set`),
    ...compare('secret', env.find(({ name }) => name === 'TOKEN')?.valueFrom, secret),
    ...compare('token', value('QUOTED'), '"$(TOKEN)"'),
    ...NODES.flatMap((host, index) =>
      compare(`ROUTE_${index}`, value(`ROUTE_${index}`), `"nats://node:$(TOKEN)@${host}:${PORTS.cluster}"`),
    ),
    ...compare('files', component.configMapGenerator[0]?.files, ['nats/nats.conf']),
  ];
}

/** The changes of a part by the component: the paths and values of its patches. */
export function changesOf({ component: { patches } }: Scaled, kind: string, of: string) {
  const isTarget = (target: { kind: string; name: string }) =>
    target.kind === kind && new RegExp(`^(${target.name})$`).test(of);
  const operations = patches.filter(({ target }) => isTarget(target)).flatMap(({ patch }) => parse(patch));
  return operations.map(({ path, value }: { path: string; value: unknown }) => [path, value] as const);
}

/** Settings: a copy of the bus knows the quorum and its own address. */
export function bus(scaled: Scaled): string[] {
  const settings = changesOf(scaled, 'ConfigMap', 'event-bus-settings');
  const env = changesOf(scaled, 'StatefulSet', 'event-bus').filter(([path]) => path.endsWith('/env/-'));
  return [
    ...compare('event-bus-settings', settings, [
      ['/data/NATS_URL', NODES.map((host) => `nats://${host}:${PORTS.client}`).join()],
    ]),
    ...compare(
      'event-bus: env',
      env.map(([, value]) => value),
      [
        { name: 'NATS_TOKEN', valueFrom: { secretKeyRef: { name: 'nats-token', key: 'token' } } },
        { name: 'COPY_URL', value: 'http://$(COPY_NAME).event-bus:4005' },
      ],
    ),
  ];
}

export const copies = ({ component: { replicas } }: Scaled) =>
  compare(
    'copies',
    replicas,
    servers.map(({ name }) => ({ name, count: 2 })),
  );

/** A drain evicts one copy of a part at a time, and a node only while the other two are ready. */
export const budgets = ({ manifests }: Scaled) =>
  compare(
    'budgets',
    manifests.filter(({ kind }) => kind === 'PodDisruptionBudget').map(({ metadata, spec }) => [metadata.name, spec]),
    [...servers.map(({ name }) => name), 'nats'].map((name) => [
      name,
      {
        maxUnavailable: 1,
        ...(name === 'nats' ? {} : { unhealthyPodEvictionPolicy: 'AlwaysAllow' }),
        selector: { matchLabels: { ...FOUND, 'app.kubernetes.io/name': name } },
      },
    ]),
  );

const ARROWS = ['event-bus,event-bus,4005', 'event-bus,nats,4222', 'event-bus,nats,8222', 'nats,nats,6222'];

/** Besides the connections of the blog: the bus to its copies and to the nodes, and the nodes to each other. */
export function arrows(scaled: Scaled): string[] {
  const all = { ...scaled.blog, manifests: [...scaled.blog.manifests, ...scaled.manifests] };
  return network.otherArrows(
    network.policies(all),
    { ...network.FOREIGN, ...network.own(all) },
    (from, to, port) => ARROWS.includes([from, to, port].join()) || network.isArrow(from, to, port),
    Object.values(PORTS),
  );
}

/**
 * The profile `scaled` deploys what the base, or the profile before it, has named: the kustomization of that profile, with
 * the component. A service of one's own has no copies, and with sign-in there are none.
 */
export function profiles({ blog: { skaffold } }: Scaled): string[] {
  const { metadata, manifests, profiles = [] } = skaffold;
  const path = '/metadata/annotations/scaled';
  const patch = (name: string) =>
    profiles.find((profile) => profile.name === name)?.patches?.find((it) => it.path === path || it.from === path);
  const bases = [
    { path: manifests.kustomize.paths[0], scaled: metadata.annotations.scaled },
    ...profiles
      .filter(({ name }) => !['scaled', 'own-service', 'login'].includes(name))
      .map(({ name, manifests }) => ({ path: manifests?.kustomize.paths[0], scaled: String(patch(name)?.value) })),
  ];
  return [
    ...compare('scaled', patch('scaled'), { op: 'move', from: path, path: '/manifests/kustomize/paths/0' }),
    ...compare('own-service', patch('own-service'), { op: 'remove', path }),
    ...bases.flatMap(({ path, scaled }) => {
      const file = join(root, scaled, 'kustomization.yaml');
      if (!existsSync(file)) return [`${path}: there is no ${scaled}`];
      const { resources, components } = parse(readFileSync(file, 'utf8'));
      return compare(scaled, [resources, components], [[`../${path?.split('/').at(-1)}`], ['../scaled']]);
    }),
  ];
}

/** The autoscalers: never below two copies, and slow to remove one. */
export const autoscaling = ({ autoscalers }: Scaled) =>
  ['posts', 'comments', 'query'].flatMap((name, index) => {
    const { kind, metadata, spec = {} } = autoscalers[index] ?? ({} as Manifest);
    const { scaleTargetRef, minReplicas, behavior } = spec as {
      scaleTargetRef?: object;
      minReplicas?: number;
      behavior?: { scaleDown?: { stabilizationWindowSeconds?: number } };
    };
    return [
      ...compare(
        `${name}: kind`,
        [kind, metadata?.name, metadata?.namespace],
        ['HorizontalPodAutoscaler', name, 'blog'],
      ),
      ...compare(`${name}: target`, scaleTargetRef, { apiVersion: 'apps/v1', kind: 'StatefulSet', name }),
      ...compare(`${name}: minReplicas`, minReplicas, 2),
      ...compare(`${name}: scaleDown`, behavior?.scaleDown?.stabilizationWindowSeconds, 300),
    ];
  });
