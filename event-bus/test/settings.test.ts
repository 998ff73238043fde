// The parser of the bus's settings.

import { settingsOf } from '@blog/common/run/service.ts';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { unit } from '../../common/test/requests.ts';
import { eventBus, subscriptionList } from '../src/app.ts';

/** Includes characters that no text may contain. */
const text = fc.string({ unit: fc.oneof(unit, fc.constantFrom('\0', '\ud83c', '\udf4a')), maxLength: 12 });

test('a second copy has no log that it could join, and does not start', () => {
  const settings = (COPY_NAME: string) => settingsOf(eventBus).safeParse({ COPY_NAME });
  expect(settings('event-bus-0').success).toBe(true);
  expect(settings('event-bus-1').error?.issues).toMatchObject([
    { path: ['COPY_NAME'], message: expect.stringMatching(/^event-bus-1 is a second copy .* --replicas=1$/) },
  ]);
});

test('a list of subscriptions is parsed as written, and nothing else is accepted', () => {
  const one = fc
    .record({ name: fc.stringMatching(/^[\w.-]{1,50}$/), url: fc.webUrl() })
    .filter(({ url }) => !url.includes(','));
  const lists = fc.uniqueArray(one, { selector: ({ name }) => name, minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'b'), { minLength: 1 }), (names) => {
      const { success } = subscriptionList.safeParse(names.map((name) => `${name}=http://a`).join());
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
        for (const { name, url } of data) expect([/^[\w.-]+$/.test(name), /^https?:/.test(url)]).toEqual([true, true]);
        expect(new Set(data.map(({ name }) => name)).size).toBe(data.length);
      },
    ),
  );
});
