// Who may connect to whom, computed from the policies for every pair of places.
import { isAllowed, type Place, type Policy } from './policies.ts';
import { type Project, parts, workloads } from './project.ts';

/** Not in the namespace: outside of the cluster, another namespace's pod that says it is the client, DNS. */
const FOREIGN: Record<string, Place> = {
  outside: 'outside',
  neighbour: { namespace: 'default', labels: { 'app.kubernetes.io/name': 'client' } },
  dns: { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } },
};

/** The parts, under the labels that their pods have, and a pod that no file knows. */
const own = (project: Project): Record<string, Place> => ({
  stranger: { namespace: 'blog', labels: {} },
  ...Object.fromEntries(
    workloads(project).map(({ name, spec }) => [name, { namespace: 'blog', labels: spec.template.metadata.labels }]),
  ),
});

const policies = ({ manifests }: Project): Policy[] =>
  manifests
    .filter(({ kind }) => kind === 'NetworkPolicy')
    .map(({ metadata, spec }) => ({ metadata: { ...metadata, namespace: 'blog' }, spec }));

function isArrow(from: string, to: string, port: number): boolean {
  if (to in FOREIGN) return port === 53;
  if (parts.find(({ name }) => name === to)?.port !== port) return false;
  if (from in FOREIGN) return to === 'client';
  return parts.some(({ name, connectsTo }) => name === from && connectsTo.includes(to));
}

export function arrows(project: Project): string[] {
  const ports = [...parts.map(({ port }) => port), 53, 80, 443, 8080];
  const places = Object.entries({ ...FOREIGN, ...own(project) });
  return places.flatMap(([from, source]) =>
    places
      .filter(([to]) => !(from in FOREIGN && to in FOREIGN))
      .flatMap(([to, target]) =>
        ports.flatMap((port) => {
          const allowed = isAllowed(policies(project), source, target, port);
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
