// The rules for the surroundings of the manifests: images, Skaffold, lists of files. Each rule returns the problems.
import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { PORTS } from '../../common/src/run/parts.ts';
import { compare } from './differences.ts';
import { type Artifact, type Project, parts, root } from './project.ts';

export function images({ dockerfiles, versions }: Project): string[] {
  return Object.entries(dockerfiles).flatMap(([file, text]) => {
    const stages = [...text.matchAll(/^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?/gim)];
    const names = stages.map(([, , stage]) => stage);
    const bases = stages.map(([, base = '']) => base).filter((base) => !names.includes(base));
    const labels = [...text.matchAll(/(?:image\.version|\bVERSION)="?([^"\s]+)/g)];
    return [
      ...['development', 'production']
        .filter((target) => !names.includes(target))
        .map((target) => `${file} has no target ${target}`),
      ...bases.flatMap((base) => {
        const [image, tag = 'latest'] = base.split(':');
        if (!/\d/.test(tag) || tag.includes('latest')) return [`${file}: ${base} is not pinned`];
        return image === 'node' ? compare(`${file}: Node`, tag.split('-')[0], versions.node) : [];
      }),
      ...(labels.length > 0 ? [] : [`${file} does not label its version`]),
      ...labels.flatMap(([, version]) => compare(`${file}: version`, version, versions.blog)),
      ...[...text.matchAll(/^EXPOSE (.*)$/gm)].flatMap(([, it]) => compare(`${file}: port`, it, String(PORTS.client))),
    ];
  });
}

const SECRETS = [
  /\bkind["']?:\s*["']?Secret\b/i,
  /\bname["']?:\s*["']?\w*(?:password|token|secret)\w*["']?,?\s*["']?value["']?:/i,
  /(?:password|passwd|token|secret|credential|api_?key)\w*["']?\s*[:=]\s*["']?(?!(?:false|true|null)\b)[\w+/-]/i,
  /-----BEGIN|\beyJ[\w-]{10,}\.|\bAKIA\w{12,}|:\/\/[^\s/@]+:(?!\$\()[^\s/@]+@/,
];

export const secrets = ({ texts }: Project): string[] =>
  Object.entries(texts).flatMap(([file, text]) =>
    SECRETS.flatMap((pattern) => text.match(pattern)?.[0] ?? []).map((found) => `${file}: a secret? ${found.trim()}`),
  );

// The kinds that the rules cover. Skaffold would delete a Namespace on exit, with all data.
const KINDS = ['ConfigMap', 'Deployment', 'NetworkPolicy', 'PodDisruptionBudget', 'Service', 'StatefulSet'];

export const lists = ({ listed, manifests }: Project): string[] => {
  const files = ['network.yaml', ...parts.map(({ name }) => `${name}.yaml`)];
  // A server has a workload, a policy and a headless Service of its name, the client a budget.
  const expected = parts.flatMap(({ name, service }) => [name, name, name, service, `${name}-settings`]);
  return [
    ...compare('resources', listed.toSorted(), files.toSorted()),
    ...manifests.filter(({ kind }) => !KINDS.includes(kind)).map(({ kind }) => `there is a ${kind}`),
    ...compare(
      'names',
      manifests.map(({ metadata }) => metadata.name).toSorted(),
      [...expected, 'default-deny', 'dns'].toSorted(),
    ),
  ];
};

export const namespace = ({ namespace }: Pick<Project, 'namespace'>, name = 'blog'): string[] =>
  compare('namespace', namespace, [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name,
        labels: {
          'app.kubernetes.io/part-of': name,
          'pod-security.kubernetes.io/enforce': 'restricted',
          'pod-security.kubernetes.io/enforce-version': 'latest',
          'pod-security.kubernetes.io/warn': 'restricted',
          'pod-security.kubernetes.io/warn-version': 'latest',
        },
      },
    },
  ]);

/** One plain path: the client does the routing, and a second router would be a second way in. */
export const front = ({ optional: [ingress, route] }: Project): string[] => [
  ...[ingress, route].flatMap((it) => compare(`${it?.kind}: namespace`, it?.metadata.namespace, 'blog')),
  ...compare('Ingress', ingress?.spec.rules, [
    {
      host: 'blog.localhost',
      http: {
        paths: [
          { path: '/', pathType: 'Prefix', backend: { service: { name: 'client-srv', port: { number: 3000 } } } },
        ],
      },
    },
  ]),
  ...compare('HTTPRoute: hostnames', route?.spec.hostnames, ['blog.localhost']),
  ...compare('HTTPRoute', route?.spec.rules, [
    {
      matches: [{ path: { type: 'PathPrefix', value: '/' } }],
      backendRefs: [{ name: 'client-srv', port: 3000 }],
    },
  ]),
];

/** The hook's commands for the tools, which Skaffold deploys without pods: end its waiting, and start them. */
const START = ['label deployment --all skaffold.dev/run-id-', 'scale deployment --all --replicas=1'];

/**
 * The hooks before the deployment: the Namespace, on any system; then in production the token in it, with copies that of the
 * quorum, and with the tools their own Namespace. The hook after it, when the blog is ready, starts the tools.
 */
export function hooks({ skaffold: { deploy, profiles = [] } }: Project): string[] {
  const before = deploy.kubectl.hooks.before.map(({ host }) => host);
  const added = profiles.flatMap(({ name, patches = [] }) =>
    patches.filter(({ path }) => path.startsWith('/deploy')).map((patch) => ({ profile: name, ...patch })),
  );
  const command = ['node', 'scripts/k8s/secret.mjs'];
  const path = '/deploy/kubectl/hooks/before/-';
  return [
    ...compare('hooks: systems', before.flatMap(({ os }) => os ?? 'any').toSorted(), ['darwin', 'linux', 'windows']),
    ...before
      .filter(({ command }) => !/\bapply\b.*namespace\.yaml/.test(command.join(' ')))
      .map(({ command }) => `hooks: ${command.join(' ')} is not for the Namespace`),
    ...compare('hooks of profiles', added, [
      { profile: 'production', op: 'add', path, value: { host: { command } } },
      { profile: 'scaled', op: 'add', path, value: { host: { command: [...command, 'nats-token'] } } },
      { profile: 'login', op: 'add', path, value: { host: { command: [...command, 'oidc-client'] } } },
      ...before.map(({ os, command }) => ({
        profile: 'observability',
        op: 'add',
        path,
        value: { host: { os, command: command.map((word) => word.replace('infra/k8s', 'infra/observability')) } },
      })),
      {
        profile: 'observability',
        op: 'add',
        path: '/deploy/kubectl/hooks/after',
        value: before.map(({ os, command: [shell, run] }) => {
          const context = shell === 'cmd' ? '%SKAFFOLD_KUBE_CONTEXT%' : '"$SKAFFOLD_KUBE_CONTEXT"';
          const commands = START.map((words) => `kubectl --context ${context} -n blog-observability ${words}`);
          return { host: { os, command: [shell, run, commands.join(' && ')] } };
        }),
      },
    ]),
    ...command.slice(1, 2).flatMap((file) => (existsSync(join(root, file)) ? [] : [`there is no ${file}`])),
  ];
}

/** A server's image is built from the one Dockerfile, with the name of its folder as the argument. */
const built = (name: string): Artifact['docker'] => ({
  ...(name === 'client' ? { dockerfile: 'client/Dockerfile' } : { buildArgs: { PART: name } }),
  target: 'development',
});

const isArtifact = (value: unknown): value is Artifact => value instanceof Object && 'image' in value;

export function skaffold({ skaffold: { build, portForward, profiles = [] } }: Project): string[] {
  const ofProfiles = profiles.flatMap(({ patches = [] }) => patches.map(({ value }) => value)).filter(isArtifact);
  const artifacts = [...build.artifacts, ...ofProfiles];
  const forward = portForward.map((it) => [it.port, it.localPort, it.resourceName, it.namespace].join());
  return [
    ...parts.flatMap(({ name }) => {
      const artifact = artifacts.find(({ image }) => image === `blog-${name}`);
      return artifact ? compare(`blog-${name}`, artifact.docker, built(name)) : [`there is no artifact blog-${name}`];
    }),
    ...artifacts.flatMap(({ image, context = '.', docker, sync }) => [
      ...[join(context, docker?.dockerfile ?? 'Dockerfile')]
        .filter((file) => !existsSync(join(root, file)))
        .map((file) => `${image}: there is no ${file}`),
      ...(sync?.manual ?? [])
        .filter(({ src }) => globSync(src, { cwd: join(root, context) }).length === 0)
        .map(({ src }) => `${image}: nothing to sync at ${src}`),
    ]),
    ...compare(
      'portForward',
      forward.toSorted(),
      parts.map(({ service, port }) => [port, port, service, 'blog'].join()).toSorted(),
    ),
  ];
}
