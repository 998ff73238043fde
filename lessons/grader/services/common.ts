// Checks that are the same for every service: what it does with events that are odd, unknown, or no events at all.
import { type Check, Failed, type Part } from '../check.ts';
import type { Event } from '../events.ts';
import { isSuccess, shown } from '../request.ts';
import { describe } from './names.ts';
import { type ServiceStage, startService } from './stage.ts';

/** The proof that a service still works: one thing that must succeed. Throws Failed. */
export type Works = (stage: ServiceStage, sent: string) => Promise<void>;

type Subject = { part: Part; prepare?(stage: ServiceStage): Promise<void>; works: Works };

/** Refusals that make a bus put an event aside. A 5xx would be repeated for ever. */
const REFUSALS = [400, 413, 422];

const UNKNOWN: Event[] = [
  { type: 'UserSignedUp', data: { id: 'user-1' } },
  { type: 'PostArchived', data: null },
  { type: 'CommentCreatedLongAgo' },
];

/** Unknown types, and bodies that are no JSON; `routes` are those that read one. */
export function robust({ part, prepare, works, routes }: Subject & { routes: string[] }): Check {
  return {
    name: 'robust',
    scene: 'calm',
    part,
    step: 1,
    title: 'types that it does not know are answered with a 2xx, bodies that are no JSON with a 4xx, and it lives on',
    plan: {},
    needs: ['routes'],
    async run(run) {
      const stage = await startService(run, part);
      await prepare?.(stage);
      for (const event of UNKNOWN) {
        const answer = await stage.push(stage.bus.append(event));
        const sent = `POST /events ${JSON.stringify(event)}`;
        if (!isSuccess(answer)) throw new Failed(sent, 'any 2xx', shown(answer));
        stage.position += 1;
      }
      for (const path of routes) {
        const answer = await stage.call('POST', path, '{"type":', 'half a JSON');
        if (answer.status < 400 || answer.status > 499)
          throw new Failed(`POST ${path} with a body that is not JSON: {"type":`, 'a 4xx', shown(answer));
      }
      await works(stage, 'unknown types and bodies that are no JSON, and then');
    },
  };
}

/** Events that it takes, without their ids; `taken` are its types. */
export function withoutIds({ part, prepare, works, taken }: Subject & { taken: string[] }): Check {
  return {
    name: 'no-ids',
    scene: 'calm',
    part,
    step: 6,
    title: 'an event without its ids is refused with 400, 413 or 422, not with a 5xx, and the next one is taken',
    plan: {},
    needs: ['routes'],
    async run(run) {
      const stage = await startService(run, part);
      await prepare?.(stage);
      for (const type of taken) {
        for (const event of [
          { type, data: { title: 'post-9', content: 'comment-9' } },
          { type, data: null },
          { type },
        ]) {
          const answer = await stage.push(stage.bus.append(event));
          stage.position += 1;
          const sent = `POST /events ${JSON.stringify(event)}`;
          if (!REFUSALS.includes(answer.status)) throw new Failed(sent, '400, 413 or 422', shown(answer));
        }
      }
      await works(stage, 'events without ids, and then');
    },
  };
}

const ODD: [what: string, data: object][] = [
  ['a number as title and content', { title: 7, content: 7 }],
  ['null as title and content', { title: null, content: null }],
  ['a list as title and content', { title: ['orange'], content: ['orange'] }],
  ['an object as title and content', { title: { a: 1 }, content: { a: 1 } }],
  ['neither title nor content', { title: undefined, content: undefined }],
  ['60 KB of text', { title: 'long '.repeat(12_000), content: 'long '.repeat(12_000) }],
  ['a NUL, an emoji and a lone surrogate', { title: '\0 🙂 \ud800', content: '\0 🙂 \ud800' }],
  ['an unknown status', { status: 'purple' }],
  ['unknown fields', { colour: 'orange', __proto__: { a: 1 } }],
];

/** Events of types that it takes, with ids and with odd values. */
export function oddValues({ part, prepare, works, taken }: Subject & { taken: string[] }): Check {
  return {
    name: 'odd',
    scene: 'calm',
    part,
    step: 6,
    title:
      'an odd title, content or status is taken or refused, never answered with a 5xx, and the next event is taken',
    plan: {},
    needs: ['routes'],
    async run(run) {
      const stage = await startService(run, part);
      await prepare?.(stage);
      for (const type of taken) {
        for (const [i, [what, odd]] of ODD.entries()) {
          const data = { id: `odd-${type}-${i}`, postId: 'odd', title: 'odd', content: 'odd', ...odd };
          const event = stage.bus.append({ type, data });
          const answer = await stage.push(event);
          stage.position = stage.bus.log.length;
          if (!(isSuccess(answer) || REFUSALS.includes(answer.status)))
            throw new Failed(`POST /events ${type} with ${what}`, 'a 2xx, or 400, 413 or 422', shown(answer), [
              describe(event),
            ]);
        }
      }
      await works(stage, 'events with odd values, and then');
    },
  };
}
