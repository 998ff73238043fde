import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { NAMESPACE, readTools } from './observability-rules.ts';
import { named, readProject, root } from './project.ts';
import { changesOf, readScaled } from './scaled-rules.ts';

const OTLP = 'OTEL_EXPORTER_OTLP_ENDPOINT';

// Production has no defaults for addresses and folders, so the schemas are loaded as in production.
process.env.NODE_ENV = 'production';
const { settingsOf } = await import('@blog/common/run/service.ts');
const schemas = {
  posts: settingsOf((await import('../../posts/src/app.ts')).posts),
  comments: settingsOf((await import('../../comments/src/app.ts')).comments),
  query: settingsOf((await import('../../query/src/app.ts')).query),
  moderation: settingsOf((await import('../../moderation/src/app.ts')).moderation),
  'event-bus': settingsOf((await import('../../event-bus/src/app.ts')).eventBus),
};

describe('settings', () => {
  test.each(Object.entries(schemas))(
    '%s is given all that it asks for, and nothing that it does not know',
    (name, schema) => {
      const settings = named(readProject(), 'ConfigMap', `${name}-settings`)?.data ?? {};
      expect(schema.safeParse(settings).error?.issues ?? []).toEqual([]);
      // Set from the Secret and from the pod (pod-rules.ts).
      const given = { ...settings, BUS_TOKEN: 'x'.repeat(16), COPY_NAME: `${name}-0` };
      const known = Object.keys(schema.parse(given));
      expect(Object.keys(given).filter((key) => !known.includes(key))).toEqual([]);
      expect(schema.safeParse({}).success).toBe(false);
    },
  );

  test.each(Object.entries(schemas))('%s knows the setting that says where its spans go', (name, schema) => {
    const settings = named(readProject(), 'ConfigMap', `${name}-settings`)?.data ?? {};
    const { data } = schema.safeParse({ ...settings, [OTLP]: readTools().endpoint });
    expect(data).toMatchObject({ [OTLP]: `http://jaeger.${NAMESPACE}.svc:4318` });
  });

  test.each(Object.entries(schemas))('%s knows all that copies add to its settings', (name, schema) => {
    const scaled = readScaled();
    const added = changesOf(scaled, 'ConfigMap', `${name}-settings`).map(([path, value]) => [
      path.split('/').at(-1),
      value,
    ]);
    const env = changesOf(scaled, 'StatefulSet', name).flatMap(([path, it]) =>
      path.endsWith('/env/-') ? [it as { name: string; value?: string }] : [],
    );
    const copy = `${name}-1`;
    const given = {
      ...named(readProject(), 'ConfigMap', `${name}-settings`)?.data,
      COPY_NAME: copy,
      ...Object.fromEntries(added),
      ...Object.fromEntries(
        env.map(({ name, value }) => [name, value?.replace('$(COPY_NAME)', copy) ?? 'x'.repeat(16)]),
      ),
    };
    const known = Object.keys(schema.parse(given));
    expect(Object.keys(given).filter((key) => !known.includes(key))).toEqual([]);
  });

  test('the client is given what both its servers ask for: nginx in production, Node in development', async () => {
    const settings = named(readProject(), 'ConfigMap', 'client-settings')?.data ?? {};
    const { settingsSchema } = await import('../../client/server/gateway.ts');
    expect(settingsSchema.safeParse(settings).error?.issues ?? []).toEqual([]);
    const script = readFileSync(join(root, 'client', 'nginx.sh'), 'utf8');
    const read = [...script.matchAll(/\$\{([A-Z_]+)/g)].map(([, name]) => name);
    const must = [...script.matchAll(/\$\{([A-Z_]+_URL)-\}/g)].map(([, name]) => name);
    expect(read).toEqual(expect.arrayContaining(Object.keys(settings)));
    expect(Object.keys(settings)).toEqual(expect.arrayContaining(must));
    expect(must).toHaveLength(5);
  });

  test('production never lets the bus be controlled from the page', () => {
    expect(JSON.stringify(readProject().manifests)).not.toContain('CONTROL');
  });

  test('the bus delivers to every copy of the four services', () => {
    const { SUBSCRIPTIONS } = schemas['event-bus'].parse(named(readProject(), 'ConfigMap', 'event-bus-settings')?.data);
    expect(SUBSCRIPTIONS).toEqual([
      { name: 'posts-*', url: 'http://posts-*.posts:4000/events' },
      { name: 'comments-*', url: 'http://comments-*.comments:4001/events' },
      { name: 'query-*', url: 'http://query-*.query:4002/events' },
      { name: 'moderation-*', url: 'http://moderation-*.moderation:4003/events' },
    ]);
  });
});
