import { describe, expect, test } from '@jest/globals';
import { named, readProject } from './project.ts';

// In production a part asks for what has a default elsewhere: so its schema is read as one would be there.
process.env.NODE_ENV = 'production';
const schemas = {
  posts: (await import('../../posts/src/config.ts')).configSchema,
  comments: (await import('../../comments/src/config.ts')).configSchema,
  query: (await import('../../query/src/config.ts')).configSchema,
  moderation: (await import('../../moderation/src/config.ts')).configSchema,
  'event-bus': (await import('../../event-bus/src/config.ts')).configSchema,
};

describe('settings', () => {
  test.each(Object.entries(schemas))(
    '%s is given all that it asks for, and nothing that it does not know',
    (name, schema) => {
      const settings = named(readProject(), 'ConfigMap', `${name}-settings`)?.data ?? {};
      expect(schema.safeParse(settings).error?.issues ?? []).toEqual([]);
      expect(Object.keys(settings).filter((key) => !(key in schema.shape))).toEqual([]);
      expect(schema.safeParse({}).success).toBe(false);
    },
  );

  test('the bus delivers to the four services', () => {
    const { SUBSCRIPTIONS } = schemas['event-bus'].parse(named(readProject(), 'ConfigMap', 'event-bus-settings')?.data);
    expect(SUBSCRIPTIONS).toEqual([
      { name: 'posts', url: 'http://posts-clusterip-srv:4000/events' },
      { name: 'comments', url: 'http://comments-srv:4001/events' },
      { name: 'query', url: 'http://query-srv:4002/events' },
      { name: 'moderation', url: 'http://moderation-srv:4003/events' },
    ]);
  });
});
