// The rules for the tools' manifests and files, with each other and with the blog. Each rule returns the problems.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { compare } from './differences.ts';
import * as network from './network-rules.ts';
import * as pods from './pod-rules.ts';
import type { Place } from './policies.ts';
import {
  copyOf,
  type Manifest,
  type Project,
  parts,
  readDocuments,
  readProject,
  root,
  type Workload,
  workloads,
} from './project.ts';
import { namespace as namespaceRule } from './project-rules.ts';

export const NAMESPACE = 'blog-observability';
/** The namespace of the agents that read the node's log files. */
export const LOGS = 'blog-logs';

/** `ports`: the first is that of the tool's page. `user`: the one that the image is made for. */
export const tools = [
  { name: 'prometheus', ports: { http: 9090 }, user: { runAsUser: 65534, runAsGroup: 65534, fsGroup: 65534 } },
  { name: 'grafana', ports: { http: 3000 }, user: { runAsUser: 472, runAsGroup: 0, fsGroup: 472 } },
  {
    name: 'jaeger',
    ports: { http: 16686, otlp: 4318, health: 13133 },
    user: { runAsUser: 10001, runAsGroup: 10001, fsGroup: 10001 },
  },
  { name: 'victoria-logs', ports: { http: 9428 }, user: {} },
];
export const servers = parts.filter(({ name }) => name !== 'client');

export type Tools = {
  blog: Project;
  manifests: Manifest[];
  /** vlagent, with its rights in the cluster. */
  agent: Manifest[];
  namespace: Manifest[];
  prometheus: {
    scrape_configs: {
      job_name: string;
      static_configs?: { targets: string[]; labels: { part: string } }[];
      dns_sd_configs?: { names: string[] }[];
    }[];
  };
  dashboard: {
    panels: { title: string; datasource: { type: string; uid: string }; targets: { refId: string; expr: string }[] }[];
  };
  datasources: { datasources: { uid: string; type: string; url: string }[] };
  /** The address that the five servers send spans to. */
  endpoint: string;
};

const read = (file: string) => readFileSync(join(root, 'infra', 'observability', file), 'utf8');

export const readTools = copyOf((): Tools => {
  const files = globSync('*.yaml', { cwd: join(root, 'infra', 'observability') });
  const { patches } = parse(read('kustomization.yaml'));
  return {
    blog: readProject(),
    manifests: files
      .filter((file) => !/^(kustomization|namespace)/.test(file))
      .flatMap((file) => readDocuments(read(file))),
    agent: readDocuments(read('vlagent/vlagent.yaml')),
    namespace: readDocuments(read('namespace.yaml')),
    prometheus: parse(read('prometheus/prometheus.yml')),
    dashboard: JSON.parse(read('grafana/dashboard.json')),
    datasources: parse(read('grafana/datasources.yaml')),
    endpoint: parse(patches[0].patch)[0].value,
  };
});

const users = Object.fromEntries(tools.map(({ name, user }) => [name, user]));
export const rights = (project: Tools) => pods.rights(project, false, users);

export const images = (project: Pick<Tools, 'manifests'>) =>
  workloads(project).flatMap(({ name, container: { image, imagePullPolicy } }) => [
    ...(/^[\w./-]+:v?\d+\.\d+\.\d+$/.test(image) ? [] : [`${name}: ${image} is not one version`]),
    ...compare(`${name}: imagePullPolicy`, imagePullPolicy, 'IfNotPresent'),
  ]);

/** A tool's storage is bounded and ends with its pod: no claim. */
export const storage = (project: Tools) =>
  workloads(project).flatMap(({ name, pod: { volumes = [] } }) =>
    volumes.flatMap(({ name: volume, configMap, emptyDir }) =>
      configMap || (emptyDir as { sizeLimit?: string })?.sizeLimit ? [] : [`${name}: volume ${volume} is not bounded`],
    ),
  );

// No kind that gives rights in the cluster, and no Secret.
const KINDS = ['ConfigMap', 'Deployment', 'NetworkPolicy', 'Service'];

export const placesAndNames = ({ manifests }: Tools) =>
  manifests.flatMap(({ kind, metadata: { name, namespace, labels } }) => [
    ...(KINDS.includes(kind) ? [] : [`there is a ${kind}`]),
    ...(namespace === NAMESPACE || (namespace === 'blog' && kind === 'NetworkPolicy')
      ? []
      : [`${kind} ${name} is in ${namespace}`]),
    ...compare(`${kind} ${name}: part of`, labels['app.kubernetes.io/part-of'], namespace),
  ]);

export const services = (project: Tools) =>
  tools.flatMap(({ name, ports }) => {
    const found = { 'app.kubernetes.io/name': name, 'app.kubernetes.io/part-of': NAMESPACE };
    const tool = workloads(project).find((workload) => workload.name === name);
    const service = project.manifests.find(({ kind, metadata }) => kind === 'Service' && metadata.name === name);
    const listed = Object.entries(ports);
    return [
      ...compare(`${name}: selector`, (tool?.spec as Workload | undefined)?.selector, { matchLabels: found }),
      ...compare(`${name}: pod’s labels`, tool?.spec.template.metadata.labels, found),
      ...compare(
        `${name}: ports`,
        tool?.container.ports,
        listed.map(([name, containerPort]) => ({ name, containerPort })),
      ),
      ...compare(`Service ${name}`, service?.spec, {
        type: 'ClusterIP',
        selector: found,
        ports: listed.filter(([name]) => name !== 'health').map(([name, port]) => ({ name, port, targetPort: name })),
      }),
    ];
  });

export const needs = (project: Tools) => tools.flatMap(({ name }) => pods.resources(project, name));

// The tools; besides them a pod in no manifest, a pod with a name of the blog's, and pods with their names in the blog.
const beside = (name: string): Place => ({ namespace: NAMESPACE, labels: { 'app.kubernetes.io/name': name } });
const places = {
  ...Object.fromEntries(tools.map(({ name }) => [name, beside(name)])),
  unknown: beside('unknown'),
  'posts beside the tools': beside('posts'),
  vlagent: { namespace: LOGS, labels: { 'app.kubernetes.io/name': 'vlagent' } },
  'vlagent beside the tools': beside('vlagent'),
  'prometheus in the blog': { namespace: 'blog', labels: { 'app.kubernetes.io/name': 'prometheus' } },
  'jaeger in the blog': { namespace: 'blog', labels: { 'app.kubernetes.io/name': 'jaeger' } },
};
const toolArrows = [
  ...servers.map(({ name, port }) => ['prometheus', name, port].join()),
  ...servers.map(({ name }) => [name, 'jaeger', 4318].join()),
  'grafana,prometheus,9090',
  'grafana,jaeger,16686',
  'vlagent,victoria-logs,9428',
  // The API server, which may be anywhere outside the blog's namespaces.
  ...[443, 6443, 8443].flatMap((port) => Object.keys(network.FOREIGN).map((to) => ['vlagent', to, port].join())),
];

/** With the tools, the allowed connections are those of the blog, those of the tools, and no other. */
export const arrows = ({ blog, manifests, agent }: Tools) =>
  network.otherArrows(
    [...network.policies(blog), ...network.policies({ manifests: [...manifests, ...agent] })],
    { ...network.FOREIGN, ...network.own(blog), ...places },
    (from, to, port) =>
      toolArrows.includes([from, to, port].join()) || (!(to in places) && network.isArrow(from, to, port)),
    [...tools.flatMap(({ ports }) => Object.values(ports)), 6443, 8443],
  );

/** Files of the node, read-only: one link for each container, and what the links lead to. */
const NODE_FOLDERS = { containers: '/var/log/containers', pods: '/var/log/pods', docker: '/var/lib/docker/containers' };

/** The rights of an agent in the cluster: to ask for the pods on its node. */
const QUESTIONS = [
  { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: [''], resources: ['nodes'], verbs: ['get'] },
  { apiGroups: [''], resources: ['namespaces'], verbs: ['list'] },
];

/** The agent is held to "restricted", but for its user, the node's log folders and its questions to the API server. */
export function agent({ agent: manifests }: Tools): string[] {
  const kinds = ['ClusterRole', 'ClusterRoleBinding', 'DaemonSet', 'NetworkPolicy', 'ServiceAccount'];
  const [workload] = workloads({ manifests });
  const { pod, container } = workload ?? {};
  const folders = Object.entries(NODE_FOLDERS).map(([name, path]) => ({ name, hostPath: { path } }));
  const mounts = Object.entries(NODE_FOLDERS).map(([name, mountPath]) => ({ name, mountPath, readOnly: true }));
  return [
    ...compare('vlagent: kinds', manifests.map(({ kind }) => kind).toSorted(), kinds),
    ...manifests
      .filter(({ kind, metadata }) => metadata.namespace !== (kind.startsWith('Cluster') ? undefined : LOGS))
      .map(({ kind, metadata }) => `${kind} ${metadata.name} is in ${metadata.namespace}`),
    ...compare(
      'vlagent: may',
      (manifests.find(({ kind }) => kind === 'ClusterRole') as { rules?: unknown })?.rules,
      QUESTIONS,
    ),
    ...compare('vlagent: pod’s securityContext', pod?.securityContext, {
      ...{ runAsUser: 0, runAsGroup: 0, seccompProfile: { type: 'RuntimeDefault' } },
    }),
    ...compare('vlagent: container’s securityContext', container?.securityContext, pods.CONTAINER_SECURITY),
    ...['hostNetwork', 'hostPID', 'hostIPC'].flatMap((key) => compare(`vlagent: ${key}`, pod?.[key], undefined)),
    ...compare('vlagent: volumes', pod?.volumes, [...folders, { name: 'data', emptyDir: { sizeLimit: '600Mi' } }]),
    ...compare('vlagent: mounts', container?.volumeMounts, [...mounts, { name: 'data', mountPath: '/data' }]),
    ...compare(
      'vlagent: excludes',
      container?.args?.find((arg) => arg.includes('excludeFilter')),
      '-kubernetesCollector.excludeFilter=!kubernetes.pod_namespace:=blog',
    ),
    ...pods.resources({ manifests }, 'vlagent'),
    ...images({ manifests }),
  ];
}

/** Each part by its Service, and each copy by the SRV records of the headless one, whose port is named `http`. */
export const scraping = ({ prometheus: { scrape_configs } }: Tools) => [
  ...compare(
    'targets',
    scrape_configs.find(({ job_name }) => job_name === 'blog')?.static_configs,
    servers.map(({ name, service, port }) => ({ targets: [`${service}.blog.svc:${port}`], labels: { part: name } })),
  ),
  ...compare(
    'copies',
    scrape_configs.find(({ job_name }) => job_name === 'copies')?.dns_sd_configs?.[0]?.names,
    servers.map(({ name }) => `_http._tcp.${name}.blog.svc`),
  ),
];

export const addresses = ({ endpoint, datasources: { datasources } }: Tools) => [
  ...compare('endpoint', endpoint, `http://jaeger.${NAMESPACE}.svc:4318`),
  ...compare('datasources', Object.fromEntries(datasources.map(({ uid, type, url }) => [uid, [type, url]])), {
    prometheus: ['prometheus', 'http://prometheus:9090'],
    jaeger: ['jaeger', 'http://jaeger:16686'],
  }),
];

export const dashboard = ({ dashboard: { panels }, datasources: { datasources } }: Tools) =>
  panels.flatMap(({ title, datasource: { type, uid }, targets }) => [
    ...(datasources.some((one) => one.uid === uid && one.type === type)
      ? []
      : [`${title}: there is no ${type} ${uid}`]),
    ...(targets.length > 0 ? [] : [`${title} asks nothing`]),
  ]);

// By default Grafana reports to its vendor at every start, and replaces its plugins, which a read-only root makes it lose.
const QUIET = {
  GF_ANALYTICS_REPORTING_ENABLED: 'false',
  GF_ANALYTICS_CHECK_FOR_UPDATES: 'false',
  GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES: 'false',
  GF_NEWS_NEWS_FEED_ENABLED: 'false',
  GF_SECURITY_DISABLE_GRAVATAR: 'true',
  GF_PLUGINS_PREINSTALL_DISABLED: 'true',
  GF_PLUGINS_PREINSTALL_AUTO_UPDATE: 'false',
};

export function grafana({ manifests }: Tools): string[] {
  const settings = manifests.find(({ metadata }) => metadata.name === 'grafana-settings')?.data ?? {};
  return Object.entries(QUIET).flatMap(([key, value]) => compare(key, settings[key], value));
}

/** Only the agent's namespace allows folders of the node. */
export const namespaces = ({ namespace: [tools, logs] }: Tools) => [
  ...namespaceRule({ namespace: [tools as Manifest] }, NAMESPACE),
  ...compare('namespace', logs?.metadata, {
    name: LOGS,
    labels: {
      'app.kubernetes.io/part-of': LOGS,
      'pod-security.kubernetes.io/enforce': 'privileged',
      'pod-security.kubernetes.io/enforce-version': 'latest',
    },
  }),
];

/** The forwarded ports: those of the tools' pages, none of which is one of the blog's. */
export function forwards({ blog: { skaffold } }: Tools): string[] {
  const profile = skaffold.profiles?.find(({ name }) => name === 'observability');
  const added = (profile?.patches ?? []).filter(({ path }) => path === '/portForward/-').map(({ value }) => value);
  return [
    ...compare('profile', profile?.manifests, { kustomize: { paths: ['infra/observability'] } }),
    ...compare(
      'forwarded',
      added,
      [
        { resourceName: 'grafana', port: 3000, localPort: 3001 },
        { resourceName: 'prometheus', port: 9090, localPort: 9090 },
        { resourceName: 'jaeger', port: 16686, localPort: 16686 },
        { resourceName: 'victoria-logs', port: 9428, localPort: 9428 },
      ].map((it) => ({ resourceType: 'service', namespace: NAMESPACE, ...it })),
    ),
  ];
}
