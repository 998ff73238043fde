// Reads the manifests and their surroundings as data, and derives the table that they must match.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { PARTS, PORTS, SERVERS, SERVICES } from '../../common/src/run/parts.ts';

export const root = join(import.meta.dirname, '..', '..');

/** The Service and port of each part, and the parts that it connects to. Besides, every place may connect to the client. */
export const parts: { name: string; service: string; port: number; connectsTo: string[] }[] = PARTS.map((name) => ({
  name,
  service: name === 'posts' ? 'posts-clusterip-srv' : `${name}-srv`,
  port: PORTS[name],
  connectsTo: name === 'client' ? SERVERS : name === 'event-bus' ? SERVICES : ['event-bus'],
}));

// Only the fields of a manifest that the rules read; the rules report missing ones.
type Probe = { httpGet?: { path: string; port: string }; periodSeconds?: number; failureThreshold?: number };
type Lifecycle = { preStop: { sleep?: { seconds: number }; exec?: { command: string[] } } };
type Amounts = { cpu?: string; memory?: string };
type Container = {
  name: string;
  image: string;
  imagePullPolicy?: string;
  ports: { name: string; containerPort: number; hostPort?: number }[];
  envFrom?: { configMapRef: { name: string } }[];
  args?: string[];
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
  env?: { name: string; value?: string; valueFrom?: object }[];
  lifecycle?: Lifecycle;
  startupProbe?: Probe;
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  resources?: { requests?: Amounts; limits?: Amounts };
  securityContext?: object;
};
export type Workload = {
  replicas: number;
  serviceName?: string;
  podManagementPolicy?: string;
  selector: { matchLabels: Record<string, string> };
  template: { metadata: { labels: Record<string, string> }; spec: PodSpec };
  volumeClaimTemplates?: { spec: { accessModes: string[]; storageClassName?: string } }[];
};
type PodSpec = Record<string, unknown> & {
  containers: Container[];
  volumes?: Record<string, unknown>[];
  terminationGracePeriodSeconds?: number;
  securityContext?: object;
};
export type Manifest = {
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec: Record<string, unknown>;
  data?: Record<string, string>;
};
export type Artifact = {
  image: string;
  context?: string;
  docker?: { dockerfile?: string; buildArgs?: Record<string, string>; target?: string };
  sync?: { manual: { src: string }[] };
};
type Skaffold = {
  metadata: { annotations: { scaled: string } };
  manifests: { kustomize: { paths: string[] } };
  build: { artifacts: Artifact[] };
  deploy: { kubectl: { hooks: { before: { host: { os?: string[]; command: string[] } }[] } } };
  portForward: { resourceName: string; namespace: string; port: number; localPort: number }[];
  profiles?: {
    name: string;
    manifests?: { kustomize: { paths: string[] } };
    patches?: { op: string; path: string; from?: string; value: unknown }[];
  }[];
};

export type Project = {
  /** The files that the kustomization lists, and all documents in them. */
  listed: string[];
  manifests: Manifest[];
  namespace: Manifest[];
  /** The Ingress and the HTTPRoute that may stand before the client. */
  optional: Manifest[];
  skaffold: Skaffold;
  /** By path: that of the five servers, and the client's. */
  dockerfiles: Record<string, string>;
  /** By path: every file that is given to a cluster. */
  texts: Record<string, string>;
  versions: { blog: string; node: string };
  /** The longest graceful shutdown of nginx, in seconds. */
  gatewayEnds: number;
};

export const named = ({ manifests }: Project, kind: string, name: string) =>
  manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);

/** The workloads, taken apart. */
export const workloads = ({ manifests }: Pick<Project, 'manifests'>) =>
  manifests
    .filter(({ spec }) => spec && 'template' in spec)
    .map((manifest) => {
      const spec = manifest.spec as Workload;
      const pod = spec.template.spec;
      return { manifest, name: manifest.metadata.name, spec, pod, container: pod.containers[0] as Container };
    });

const read = (file: string) => readFileSync(join(root, file), 'utf8');
export const readDocuments = (text: string): Manifest[] => parseAllDocuments(text).map((each) => each.toJS());

/** Reads once, and gives each caller a copy of its own, to spoil. */
export function copyOf<T>(read: () => T): () => T {
  let first: T | undefined;
  return () => {
    first ??= read();
    return structuredClone(first);
  };
}

export const readProject = copyOf((): Project => {
  const { resources } = parse(read('infra/k8s/kustomization.yaml')) as { resources: string[] };
  const { version, devDependencies } = JSON.parse(read('package.json'));
  const files = globSync(['infra/**/*.{yaml,yml,json,md,conf}', 'skaffold.yaml'], { cwd: root });
  return {
    listed: resources,
    manifests: resources.flatMap((file) => readDocuments(read(`infra/k8s/${file}`))),
    namespace: readDocuments(read('infra/k8s/namespace.yaml')),
    optional: ['ingress', 'http-route'].flatMap((name) => readDocuments(read(`infra/k8s/optional/${name}.yaml`))),
    skaffold: parse(read('skaffold.yaml')),
    dockerfiles: Object.fromEntries(['Dockerfile', 'client/Dockerfile'].map((file) => [file, read(file)])),
    texts: Object.fromEntries(files.map((file) => [file, read(file)])),
    versions: { blog: version, node: devDependencies.node },
    gatewayEnds: Number(/^worker_shutdown_timeout (\d+)s;$/m.exec(read('client/nginx.conf'))?.[1]),
  };
});
