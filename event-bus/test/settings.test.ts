// The parser of the bus's settings.

import { settingsOf } from '@blog/common/run/service.ts';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { unit } from '../../common/test/requests.ts';
import { eventBus } from '../src/app.ts';
import { subscriptionList } from '../src/copies.ts';

/** Includes characters that no text may contain. */
const text = fc.string({ unit: fc.oneof(unit, fc.constantFrom('\0', '\ud83c', '\udf4a')), maxLength: 12 });

test('a second copy has no log that it could join, and does not start', () => {
  const settings = (COPY_NAME: string) => settingsOf(eventBus).safeParse({ COPY_NAME });
  expect(settings('event-bus-0').success).toBe(true);
  expect(settings('event-bus-1').error?.issues).toMatchObject([
    { path: ['COPY_NAME'], message: expect.stringMatching(/^event-bus-1 .* has no NATS_URL.* --replicas=1$/) },
  ]);
});

test('a list of subscriptions is parsed as written, and nothing else is accepted', () => {
  const one = fc
    .record({ name: fc.stringMatching(/^[\w.-]{1,50}$/), url: fc.webUrl() })
    .filter(({ url }) => !url.includes(','));
  const lists = fc
    .uniqueArray(one, { selector: ({ name }) => name, minLength: 1, maxLength: 5 })
    .filter((list) => new Set(list.map(({ url }) => new URL(url).href)).size === list.length);
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'b'), { minLength: 1 }), (names) => {
      const { success } = subscriptionList.safeParse(names.map((name) => `${name}=http://${name}`).join());
      expect(success).toBe(new Set(names).size === names.length);
    }),
  );
  fc.assert(
    fc.property(lists, (list) => {
      expect(subscriptionList.parse(list.map(({ name, url }) => `${name} = ${url} `).join(','))).toEqual(list);
    }),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        text,
        fc.array(text).map((texts) => texts.join('=http://a,')),
      ),
      (input) => {
        const { data = [] } = subscriptionList.safeParse(input);
        for (const { name, url } of data)
          expect([/^[\w.-]+(-\*)?$/.test(name), /^https?:/.test(url)]).toEqual([true, true]);
        expect(new Set(data.map(({ name }) => name)).size).toBe(data.length);
      },
    ),
  );
});

test.each([
  ['posts=http://a,posts-0=http://b', false],
  ['posts-*=http://posts-*.posts,posts-3=http://b', false],
  ['posts-*=http://posts-*.posts,posts=http://b', false],
  ['posts-*=http://posts-*.posts,posts-*=http://other-*.posts', false],
  ['posts-*=http://posts-*.posts,comments-*=http://comments-*.comments,words=http://words', true],
  ['posts-0=http://a,posts-1=http://b', true],
  ['posts-0=http://a,posts-1=http://a/', false],
  ['posts-*=http://posts-*.posts/,words-*=http://posts-*.posts', false],
  ['posts-*=http://posts-*.posts/,words-1=http://posts-1.posts', false],
  ['posts-*=http://posts', false],
  ['posts-*=http://localhost:41*0', false],
  ['posts-*=http://posts/*', false],
  ['posts*=http://posts-*.posts', false],
  ['*=http://posts-*.posts', false],
])('copies are named by a list or a pattern, each of them once: %s is valid: %s', (text, isValid) => {
  expect(subscriptionList.safeParse(text).success).toBe(isValid);
});
