// The manifests as kustomize renders them. `kubectl` has it built in; without kubectl these tests are skipped.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { differences } from './differences.ts';
import { LOGS, NAMESPACE, readTools, servers } from './observability-rules.ts';
import { endings, rights, totals } from './pod-rules.ts';
import { type Manifest, parts, readDocuments, readProject, root, workloads } from './project.ts';

const kubectl = (...args: string[]) => spawnSync('kubectl', args, { cwd: root, encoding: 'utf8' });
const [, minor = 0] = /"gitVersion": "v1\.(\d+)/.exec(kubectl('version', '--client', '-o', 'json').stdout ?? '') ?? [];

const HASHED = /-settings-[a-z0-9]{10}$/;

const rendered = new Map<string, Manifest[]>();

function render(overlay: string): Manifest[] {
  const before = rendered.get(overlay);
  if (before) return structuredClone(before);
  const { status, stdout, stderr } = kubectl('kustomize', join('infra', overlay));
  if (status !== 0) throw new Error(stderr);
  rendered.set(overlay, readDocuments(stdout));
  return render(overlay);
}

/** The manifests by kind and name, without the hash in the names of settings. */
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

  test('production is the plain manifests, in the namespace blog', () => {
    const plain = readProject().manifests.map(({ metadata: { annotations, ...metadata }, ...rest }) => ({
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
      expect(rights({ manifests: render(overlay) }, true)).toEqual([]);
    },
  );

  test.each(overlays.slice(1))('%s: development requests at most 1 CPU and 2 GiB', (overlay) => {
    expect(totals({ manifests: render(overlay) }, { cpu: 1, memory: 2 * 2 ** 30 })).toEqual([]);
  });

  test.each(overlays.slice(1))('%s: development has no token, so that every curl and classic part works', (overlay) => {
    expect(JSON.stringify(render(overlay)).match(/secret\w*|BUS_TOKEN/gi) ?? []).toEqual([]);
  });

  test('development changes how a part is run and watched, and nothing else', () => {
    const allowed = [
      /^ConfigMap \S+\/data\/NODE_ENV$/,
      /^ConfigMap client-settings\/data\/CONTROL$/,
      /^\S+ \S+ container (startupProbe|livenessProbe|readinessProbe|resources|env|volumeMounts)(\/|$)/,
      /^\S+ \S+ container securityContext\/readOnlyRootFilesystem$/,
      /^\S+ \S+\/spec\/(replicas$|template\/spec\/volumes\/)/,
    ];
    const changed = changes(render('k8s'), render('development'));
    expect(changed.filter((path) => !allowed.some((pattern) => pattern.test(path)))).toEqual([]);
    expect(changed.filter((path) => path.endsWith('livenessProbe'))).toHaveLength(parts.length);
  });

  test('nothing ends a container in development, also none that does not start', () => {
    for (const overlay of overlays.slice(1)) {
      for (const { name, container } of workloads({ manifests: render(overlay) })) {
        const { startupProbe, livenessProbe } = container;
        expect([name, livenessProbe, startupProbe?.failureThreshold]).toEqual([name, undefined, 86_400]);
      }
    }
  });

  test('where it is asked for, claims are for one pod, and nothing else changes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'blog claims '));
    try {
      cpSync(join(root, 'infra/k8s'), join(folder, 'k8s'), { recursive: true });
      mkdirSync(join(folder, 'mine'));
      const lines = ['kind: Kustomization', 'resources: [../k8s]', 'components: [../k8s/one-pod-claims]'];
      writeFileSync(join(folder, 'mine/kustomization.yaml'), lines.join('\n'));
      const rendered = readDocuments(kubectl('kustomize', join(folder, 'mine')).stdout);
      expect(changes(render('k8s'), rendered).toSorted()).toEqual(
        servers.map(({ name }) => `StatefulSet ${name}/spec/volumeClaimTemplates/0/spec/accessModes/0`).toSorted(),
      );
      expect(JSON.stringify(rendered).match(/ReadWriteOncePod/g)).toHaveLength(servers.length);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('only in development may the bus be controlled from the page', () => {
    const control = (overlay: string) => JSON.stringify(render(overlay)).match(/"CONTROL":"[^"]*"/g);
    expect(overlays.map(control)).toEqual([null, ['"CONTROL":"on"'], ['"CONTROL":"on"']]);
  });

  describe('observability', () => {
    const inNamespace = (name: string) => render('observability').filter(({ metadata }) => metadata.namespace === name);

    test('the blog is as in development, but that its settings name where to send spans and to find lines, and how', () => {
      const isAdded = (path: string) => /^NetworkPolicy (traces|scrape-[\w-]+)$/.test(path);
      const changed = changes(render('development'), inNamespace('blog'));
      expect(changed.filter((path) => !isAdded(path)).toSorted()).toEqual(
        [
          ...servers.flatMap(({ name }) =>
            ['LOG_FORMAT', 'LOG_LEVEL', 'OTEL_EXPORTER_OTLP_ENDPOINT'].map(
              (key) => `ConfigMap ${name}-settings/data/${key}`,
            ),
          ),
          'ConfigMap client-settings/data/LOGS_URL',
        ].toSorted(),
      );
    });

    test('it deletes no Namespace when it ends, and puts nothing elsewhere', () => {
      const manifests = render('observability');
      expect(manifests.filter(({ kind }) => kind === 'Namespace')).toEqual([]);
      const isOfCluster = ({ kind }: Manifest) => kind.startsWith('ClusterRole');
      expect(manifests.filter(isOfCluster).map(({ metadata }) => metadata.name)).toEqual([
        'blog-vlagent',
        'blog-vlagent',
      ]);
      expect(new Set(manifests.filter((it) => !isOfCluster(it)).map(({ metadata }) => metadata.namespace))).toEqual(
        new Set(['blog', NAMESPACE, LOGS]),
      );
    });

    test('the tools read their files under names that change with them', () => {
      const tools = inNamespace(NAMESPACE);
      const names = tools.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata }) => metadata.name);
      const used = JSON.stringify(tools).match(/"(configMapRef|configMap)":{"name":"[^"]+/g) ?? [];
      expect(names).toEqual(names.map(() => expect.stringMatching(/-[a-z0-9]{10}$/)));
      expect(used.map((text) => text.split('"').at(-1)).toSorted()).toEqual(names.toSorted());
    });

    test('the blog waits for no image of a tool: Skaffold deploys them without a pod', () => {
      const tools = workloads({ manifests: inNamespace(NAMESPACE) });
      expect(tools.map(({ name, spec }) => [name, spec.replicas]).toSorted()).toEqual([
        ['grafana', 0],
        ['jaeger', 0],
        ['prometheus', 0],
        ['victoria-logs', 0],
      ]);
    });

    test('blog and tools together request at most 1.2 CPU and 2.5 GiB', () => {
      const manifests = [...inNamespace('blog'), ...readTools().manifests];
      expect(totals({ manifests }, { cpu: 1.2, memory: 2.5 * 2 ** 30 })).toEqual([]);
    });
  });

  describe('copies', () => {
    const names = servers.map(({ name }) => name).join('|');

    test.each([
      ['k8s', 'production-scaled'],
      ['development', 'development-scaled'],
      ['observability', 'observability-scaled'],
    ])('%s with copies adds the quorum and budgets, and changes the servers’ copies, settings and ends', (from, to) => {
      const rendered = render(to);
      const allowed = [
        /^(StatefulSet|Service|NetworkPolicy|PodDisruptionBudget) nats$/,
        /^ConfigMap nats-files-[a-z0-9]{10}$/,
        new RegExp(`^PodDisruptionBudget (${names})$`),
        /^NetworkPolicy event-bus-copies$/,
        /^ConfigMap event-bus-settings\/data\/NATS_URL$/,
        /^ConfigMap (posts|comments)-settings\/data\/ANSWER_AFTER$/,
        new RegExp(`^StatefulSet (${names})/spec/(replicas|template/spec/terminationGracePeriodSeconds)$`),
        new RegExp(`^StatefulSet (${names})(/spec/template/spec/topologySpreadConstraints| container lifecycle)$`),
        /^StatefulSet event-bus container env\/\d$/,
      ];
      const changed = changes(render(from), rendered);
      expect(changed.filter((path) => !allowed.some((pattern) => pattern.test(path)))).toEqual([]);
      expect(allowed.filter((pattern) => !changed.some((path) => pattern.test(path)))).toEqual([]);
      expect(endings({ ...readProject(), manifests: rendered })).toEqual([]);
      const [, files] = /"configMap":{"name":"(nats-files-[a-z0-9]{10})"/.exec(JSON.stringify(rendered)) ?? [];
      expect(rendered.filter(({ metadata }) => metadata.name === files)).toHaveLength(1);
    });

    test('together request at most 1.5 CPU and 2 GiB in production, 1.5 CPU and 3.5 GiB in development', () => {
      expect(totals({ manifests: render('production-scaled') }, { cpu: 1.5, memory: 2 * 2 ** 30 })).toEqual([]);
      expect(totals({ manifests: render('development-scaled') }, { cpu: 1.5, memory: 3.5 * 2 ** 30 })).toEqual([]);
    });
  });

  test('a service of one’s own differs from moderation in its image, its probe and its environment', () => {
    expect(changes(render('development'), render('development-own-service')).toSorted()).toEqual([
      'StatefulSet moderation container env/0/name', // HOME comes first
      'StatefulSet moderation container env/0/value',
      'StatefulSet moderation container env/0/valueFrom',
      'StatefulSet moderation container env/1',
      'StatefulSet moderation container image',
      'StatefulSet moderation container readinessProbe/httpGet',
      'StatefulSet moderation container readinessProbe/tcpSocket',
      'StatefulSet moderation container startupProbe/exec',
      'StatefulSet moderation container startupProbe/initialDelaySeconds',
      'StatefulSet moderation container startupProbe/tcpSocket',
      'StatefulSet moderation container startupProbe/timeoutSeconds',
    ]);
  });
});
