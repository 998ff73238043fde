// Holds the lists of parts and ports that cannot import common/src/run/parts.ts to it. manifests.test.ts does so for the
// manifests, Skaffold and the images.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { ALL_PORTS, localUrl, PARTS, PORTS, SERVERS } from '../../common/src/run/parts.ts';
import { root } from './project.ts';

const read = (file: string) => readFileSync(join(root, file), 'utf8');

test.each([...SERVERS, 'auth'] as const)(
  'the contract of %s and its classic version, if there is one, have its port',
  (name) => {
    expect(parse(read(`${name}/openapi.yaml`)).servers).toEqual([{ url: localUrl(name) }]);
    const classic = `bench/naive/${name}.ts`;
    if (existsSync(join(root, classic)))
      expect(read(classic)).toContain(`process.env.PORT ?? ${new URL(localUrl(name)).port})`);
  },
);

test('the contract of the events has the port of the bus', () => {
  const { servers } = parse(read('event-bus/asyncapi.yaml'));
  expect(servers).toEqual({ 'event-bus': { host: `localhost:${PORTS['event-bus']}`, protocol: 'http' } });
});

test('nginx listens on the port of the client', () => {
  expect(read('client/nginx.sh')).toContain(`\${PORT:-${PORTS.client}}`);
});

test('the table of settings has every port', () => {
  const ports = Object.entries(ALL_PORTS)
    .map(([name, port]) => `${name} ${port}`)
    .join(', ');
  expect(read('docs/settings.md')).toContain(`| \`PORT\` | all | ${ports} |`);
});

test('CI builds and scans the image of every part, and of auth', () => {
  const { part } = parse(read('.github/workflows/ci.yml')).jobs.images.strategy.matrix;
  expect(part.toSorted()).toEqual([...PARTS, 'auth'].toSorted());
});

test('every part is a workspace and is sent to the Docker engine', () => {
  expect(JSON.parse(read('package.json')).workspaces).toEqual([
    ...['common', ...SERVERS, 'auth', 'auth/issuer', 'client', 'scripts'],
  ]);
  for (const name of [...PARTS, 'auth']) expect(read('.dockerignore').split('\n')).toContain(`!${name}`);
});
