// The profile `login`: auth and its issuer beside the blog, in development and in production.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { differences } from './differences.ts';
import * as network from './network-rules.ts';
import { CONTAINER_SECURITY } from './pod-rules.ts';
import { type Manifest, readDocuments, readProject, root, workloads } from './project.ts';

process.env.NODE_ENV = 'production';
const { settingsOf } = await import('@blog/common/run/service.ts');
const { auth } = await import('../../auth/src/app.ts');
const { settingsSchema } = await import('../../auth/issuer/src/issuer.ts');

const project = readProject();
const manifests = readDocuments(readFileSync(join(root, 'infra/login/auth.yaml'), 'utf8'));
const [workload] = workloads({ manifests });
const settings = (name: string) => manifests.find((it) => it.kind === 'ConfigMap' && it.metadata.name === name)?.data;
/** From the Secret. */
const secret = { OIDC_CLIENT_SECRET: 'x'.repeat(43) };

test('auth and the issuer are given all that they ask for, and nothing that they do not know', () => {
  for (const [schema, name] of [
    [settingsOf(auth), 'auth-settings'],
    [settingsSchema, 'issuer-settings'],
  ] as const) {
    const given = { ...settings(name), ...secret };
    const known = Object.keys(schema.parse(given));
    expect(Object.keys(given).filter((key) => !known.includes(key))).toEqual([]);
  }
  const shared = ['OIDC_ISSUER', 'OIDC_CLIENT_ID', 'PUBLIC_URL'];
  const of = (name: string) => shared.map((key) => settings(name)?.[key]);
  expect(of('issuer-settings')).toEqual(of('auth-settings'));
});

test('both have no more rights than Pod Security "restricted" leaves them, and the secret is in no file', () => {
  expect(workload?.pod).toMatchObject({
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
  });
  for (const { securityContext, env, resources } of workload?.pod.containers ?? []) {
    expect(securityContext).toEqual(CONTAINER_SECURITY);
    const valueFrom = { secretKeyRef: { name: 'oidc-client', key: 'token' } };
    expect(env).toEqual([{ name: 'OIDC_CLIENT_SECRET', valueFrom }]);
    expect(Object.keys(resources ?? {})).toEqual(['requests', 'limits']);
  }
});

test('only the gateway, posts and comments reach auth; nobody reaches the issuer, and neither goes out', () => {
  const callers = ['client', 'posts', 'comments'];
  const wrong = network.otherArrows(
    [...network.policies(project), ...network.policies({ manifests })],
    { ...network.FOREIGN, ...network.own(project), ...network.own({ ...project, manifests }) },
    (from, to, port) => (to === 'auth' ? callers.includes(from) && port === 4004 : network.isArrow(from, to, port)),
    [4004, 4006],
  );
  expect(wrong).toEqual([]);
});

test('the profile builds both images, forwards the issuer’s port and makes the secret', () => {
  const profile = project.skaffold.profiles?.find(({ name }) => name === 'login');
  const added = (path: string) => (profile?.patches ?? []).filter((it) => it.path === path).map(({ value }) => value);
  expect(added('/build/artifacts/-')).toMatchObject([
    { image: 'blog-auth', docker: { buildArgs: { PART: 'auth' } } },
    { image: 'blog-issuer', docker: { buildArgs: { PART: 'auth/issuer' } } },
  ]);
  expect(added('/portForward/-')).toMatchObject([{ resourceName: 'auth', port: 4006, localPort: 4006 }]);
});

const { stdout } = spawnSync('kubectl', ['version', '--client', '-o', 'json'], { encoding: 'utf8' });
const [, minor = 0] = /"gitVersion": "v1\.(\d+)/.exec(stdout ?? '') ?? [];

(Number(minor) >= 30 ? describe : describe.skip)('rendered by kustomize', () => {
  const render = (overlay: string): Manifest[] =>
    readDocuments(spawnSync('kubectl', ['kustomize', join(root, 'infra', overlay)], { encoding: 'utf8' }).stdout);
  const byName = (manifests: Manifest[]) =>
    Object.fromEntries(
      manifests.map((it) => {
        const plain = JSON.parse(JSON.stringify(it).replace(/-settings-[a-z0-9]{10}"/g, '-settings"')) as Manifest;
        return [`${plain.kind} ${plain.metadata.name}`, plain];
      }),
    );

  test.each([
    ['k8s', 'production-login'],
    ['development', 'development-login'],
  ])('%s with sign-in has auth, and its address in three settings; the rest is the same', (from, to) => {
    const changed = differences(byName(render(to)), byName(render(from))).map(({ path }) => path);
    expect(changed.toSorted()).toEqual(
      [
        ...['client', 'comments', 'posts'].map((name) => `ConfigMap ${name}-settings/data/AUTH_URL`),
        ...['ConfigMap auth-settings', 'ConfigMap issuer-settings', 'NetworkPolicy auth', 'NetworkPolicy auth-callers'],
        ...['Service auth-srv', 'StatefulSet auth'],
      ].toSorted(),
    );
  });
});
