// The allowed connections, computed from the policies for every pair of places.
import { isAllowed, type Place, type Policy } from './policies.ts';
import { type Project, parts, workloads } from './project.ts';

type Places = Record<string, Place>;
type IsArrow = (from: string, to: string, port: number) => boolean;

/** Places outside the namespace: outside the cluster, pods elsewhere labelled client or prometheus, and DNS. */
export const FOREIGN: Places = {
  outside: 'outside',
  neighbour: { namespace: 'default', labels: { 'app.kubernetes.io/name': 'client' } },
  impostor: { namespace: 'default', labels: { 'app.kubernetes.io/name': 'prometheus' } },
  dns: { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } },
};

/** The parts, with the labels of their pods, and a pod that is in no manifest. */
export const own = (project: Project): Places => ({
  stranger: { namespace: 'blog', labels: {} },
  ...Object.fromEntries(
    workloads(project).map(({ name, spec }) => [name, { namespace: 'blog', labels: spec.template.metadata.labels }]),
  ),
});

export const policies = ({ manifests }: Pick<Project, 'manifests'>): Policy[] =>
  manifests
    .filter(({ kind }) => kind === 'NetworkPolicy')
    .map(({ metadata, spec }) => ({ metadata: { ...metadata, namespace: metadata.namespace ?? 'blog' }, spec }));

export function isArrow(from: string, to: string, port: number): boolean {
  if (to in FOREIGN) return port === 53;
  if (parts.find(({ name }) => name === to)?.port !== port) return false;
  if (from in FOREIGN) return to === 'client';
  return parts.some(({ name, connectsTo }) => name === from && connectsTo.includes(to));
}

export const arrows = (project: Project): string[] =>
  otherArrows(policies(project), { ...FOREIGN, ...own(project) }, isArrow);

/** The differences between policies and design, for every pair of these places and every port. */
export function otherArrows(policies: Policy[], places: Places, isArrow: IsArrow, more: number[] = []): string[] {
  const ports = [...parts.map(({ port }) => port), ...more, 53, 80, 443, 8080];
  return Object.entries(places).flatMap(([from, source]) =>
    Object.entries(places)
      .filter(([to]) => !(from in FOREIGN && to in FOREIGN))
      .flatMap(([to, target]) =>
        ports.flatMap((port) => {
          const allowed = isAllowed(policies, source, target, port);
          if (allowed === isArrow(from, to, port)) return [];
          return [`${from} → ${to}:${port} is ${allowed ? '' : 'not '}allowed`];
        }),
      ),
  );
}

export const dns = (project: Project): string[] =>
  Object.entries(own(project)).flatMap(([from, source]) =>
    Object.entries(FOREIGN).flatMap(([to, target]) =>
      ['UDP', 'TCP']
        .filter((protocol) => !isAllowed(policies(project), source, target, 53, protocol))
        .map((protocol) => `${from} cannot ask ${to} by ${protocol}`),
    ),
  );
