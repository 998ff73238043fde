// Safe retry: a request whose outcome is unknown is repeated, a hundred at once, with crashes in between.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { check, takeSnapshot } from '../lib/checker.ts';
import { type Answer, post, until } from '../lib/http.ts';
import { type System, startSystem } from '../lib/system.ts';
import { type Written, writePost, writesOf } from '../lib/writers.ts';

const AT_ONCE = 100;

let system: System;
let known: Written;

beforeAll(async () => {
  system = await startSystem('--production', '--without', 'client');
  known = await writePost(system, 'known', 0);
  await system.quiet();
});
afterAll(() => system?.stop());

const written: Written[] = [];
const remember = {
  posts: (id: string, title: string) => written.push({ id, title, comments: [] }),
  comments: (id: string, content: string) => known.comments.push({ id, content, status: 'approved' }),
};

describe.each([
  ['posts', '/posts', 'title', 'PostCreated'],
  ['comments', '/posts/:known/comments', 'content', 'CommentCreated'],
] as const)('%s:', (name, path, field, type) => {
  const send = (text: string, key: string) =>
    post(system.url(name) + path.replace(':known', known.id), { [field]: text }, { 'idempotency-key': key });

  /** Repeats a request until it is acknowledged; counts the attempts without an answer. */
  function persist(text: string, key: string) {
    const count = { unanswered: 0, acknowledged: 0 };
    const one = () =>
      until('acknowledged', async () => {
        const answer = await send(text, key).catch(() => undefined);
        if (!answer) count.unanswered += 1;
        else if (answer.status === 201) count.acknowledged += 1;
        else if (answer.status < 500) throw new Error(`answered ${answer.status}`);
        return answer?.status === 201 && answer;
      });
    return { count, one };
  }

  async function expectOne(answers: Answer[], text: string, key: string): Promise<void> {
    const [{ body }] = answers as [Answer];
    for (const answer of answers) expect(answer).toMatchObject({ status: 201, body });
    expect((await send(`${text}, no`, key)).status).toBe(422);
    await system.quiet();
    const entries = (await system.log()).filter((event) => event.type === type && event.subject === body.id);
    expect(entries).toHaveLength(1);
    remember[name](body.id, text);
    expect(check(writesOf([known, ...written]), await takeSnapshot(system))).toEqual([]);
  }

  test('a hundred identical requests, with two kills between commit and answer, make one row, one event and one answer', async () => {
    const text = `${name}: committed and not answered`;
    const own = () => system.rows(name, `SELECT id FROM ${name} WHERE ${field} = '${text}'`);
    const { count, one } = persist(text, `${name}-1`);
    const died = await system.runTo('written-not-answered', name);
    const sending = Promise.all(Array.from({ length: AT_ONCE }, one));
    sending.catch(() => {}); // not awaited by a test that fails earlier
    await died();
    expect([own().length, count.acknowledged]).toEqual([1, 0]);
    const first = own();
    const diedAgain = await system.runTo('written-not-answered', name);
    await diedAgain();
    expect(count.acknowledged).toBe(0);

    await system.startPart(name);
    const answers = await sending;
    expect(own()).toEqual(first);
    expect(answers[0]?.body).toMatchObject(first[0] ?? {});
    await expectOne(answers, text, `${name}-1`);
  });

  test('a hundred identical concurrent requests, each retried while the service is killed, make one', async () => {
    const text = `${name}: killed in between`;
    const key = `${name}-2`;
    const { count, one } = persist(text, key);
    let going = true;
    const sending = Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        const answers: Answer[] = [];
        while (going) answers.push(await one());
        return answers;
      }),
    );
    sending.catch(() => {}); // not awaited by a test that fails earlier
    for (let kill = 0; kill < 2; kill++) {
      const enough = count.acknowledged + 2 * AT_ONCE;
      await until('some are acknowledged', () => count.acknowledged >= enough);
      await system.killPart(name);
    }
    going = false;
    const answers = (await sending).flat();
    expect(count.unanswered).toBeGreaterThan(0);
    await expectOne(answers, text, key);

    // Also after a graceful restart.
    await system.part(`stop ${name}`);
    await system.startPart(name);
    expect((await send(text, key)).body).toEqual(answers[0]?.body);
  });
});
