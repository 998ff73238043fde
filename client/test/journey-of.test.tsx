// The steps of a comment's journey, reconstructed from its events.

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Note } from '../src/shared/journey-notes.ts';
import type { Arrival, LogEntry } from '../src/system/bus.ts';
import { journeyOf, type Step } from '../src/system/journey/journey-of.ts';
import type { Reached } from '../src/system/journey/reached.ts';

const START = Date.parse('2026-01-02T03:04:05.000Z');
const time = (ms: number) => new Date(START + ms).toISOString();
const TYPES = { CommentCreated: 'comments', CommentModerated: 'moderation', CommentUpdated: 'comments' };
type Type = keyof typeof TYPES;

/** An event about the comment, made and recorded this many milliseconds after the start. */
function about(
  type: Type,
  position: number,
  made: number,
  logged: number | undefined,
  more: Partial<LogEntry> = {},
): LogEntry {
  const status = type === 'CommentCreated' ? 'pending' : 'approved';
  const data = { id: 'c', postId: 'p', content: 'Hello', status };
  const recorded = logged === undefined ? {} : { recordedtime: time(logged) };
  const event = { id: `c/${type}`, source: TYPES[type], type, subject: 'c', time: time(made), ...recorded };
  return { position, ...event, data, ...more };
}
const arrival = (subscription: string, ms: number, attempts = 1): Arrival => ({
  subscription,
  deliveredAt: time(ms),
  attempts,
});
const got = (...arrivals: Arrival[]): Reached => ({ arrivals, passed: [] });
const short = (steps: Step[]) =>
  steps.map(({ name, state, gap }) =>
    [name, ...(state === 'done' ? [] : [state]), ...(gap === undefined ? [] : [gap])].join(' '),
  );

const created = about('CommentCreated', 7, 2, 6);
const moderated = about('CommentModerated', 8, 10, 13);
const updated = about('CommentUpdated', 9, 17, 20);
const whole = new Map([
  [7, got(arrival('query', 30), arrival('moderation', 12, 3))],
  [9, got(arrival('posts', 125), arrival('query', 24))],
]);
const note: Note = { sentAt: START, tries: 1, answeredAt: START + 5, shownAt: START + 26 };

test('of several copies of query the first that has it is the step, and the others follow it', () => {
  const reached = got(arrival('query-0', 31), arrival('comments-1', 25), arrival('query-1', 24, 2));
  const steps = journeyOf([created, moderated, updated], new Map([[9, { ...reached, passed: ['query-2'] }]]), note);
  expect(steps.findLast(({ name }) => name === 'logged')?.branches.map(({ who }) => who)).toEqual(['comments-1']);
  expect(steps.find(({ name }) => name === 'readable')).toMatchObject({
    ...{ who: 'query-1', at: START + 24, attempts: 2, passed: ['query-2'] },
    branches: [{ who: 'query-0', after: 7, attempts: 1 }],
  });
});

describe('the way of a comment', () => {
  test('leads from the request over the three events to the page, each step with the time since the one before', () => {
    const steps = journeyOf([updated, created, moderated], whole, note);
    const way = [
      'sent',
      'written 2',
      'logged 4',
      'judged 4',
      'logged 3',
      'updated 4',
      'logged 3',
      'readable 4',
      'shown 2',
    ];
    expect(short(steps)).toEqual(way);
    expect(steps.map(({ who }) => who).join(' ')).toBe(
      'client comments event-bus moderation event-bus comments event-bus query client',
    );
    expect(steps[1]?.branches).toEqual([{ who: 'client', at: START + 5, after: 3, attempts: 1 }]);
  });

  test('lists the deliveries of each event with time and attempt', () => {
    const [, logged] = journeyOf([created], whole);
    expect(logged?.branches).toEqual([
      { who: 'moderation', at: START + 12, after: 6, attempts: 3 },
      { who: 'query', at: START + 30, after: 24, attempts: 1 },
    ]);
  });

  test('ends at the step that is awaited', () => {
    const nobody = new Map<number, Reached>();
    expect(short(journeyOf([], nobody))).toEqual(['written waiting']);
    expect(short(journeyOf([], nobody, { sentAt: START }))).toEqual(['sent', 'written waiting']);
    const sent = { sentAt: START, answeredAt: START + 5 };
    expect(short(journeyOf([], nobody, sent))).toEqual(['sent', 'written', 'logged waiting']);
    expect(short(journeyOf([], nobody, { ...sent, createdAt: time(3) }))).toEqual([
      'sent',
      'written 3',
      'logged waiting',
    ]);
    expect(short(journeyOf([created], nobody)).at(-1)).toBe('judged waiting');
    expect(short(journeyOf([created, moderated], nobody)).at(-1)).toBe('updated waiting');
    expect(short(journeyOf([created, moderated, updated], nobody)).at(-1)).toBe('readable waiting');
  });

  test('names as unknown a step that must have happened and is not in the log', () => {
    const nobody = new Map<number, Reached>();
    expect(short(journeyOf([moderated], nobody))).toEqual(['written unknown', 'judged', 'logged 3', 'updated waiting']);
    const steps = journeyOf([created, updated], nobody, { shownAt: START + 26 });
    expect(short(steps)).toEqual([
      'written',
      'logged 4',
      'judged unknown',
      'updated 11',
      'logged 3',
      'readable',
      'shown 6',
    ]);
  });

  test('a delivery that is not remembered has no time', () => {
    const steps = journeyOf([created, moderated, updated], new Map([[9, { arrivals: [], passed: ['query'] }]]));
    expect(steps.at(-1)).toMatchObject({ name: 'readable', state: 'done', at: undefined, gap: undefined });
  });

  test('an event from before the bus recorded times one came is in the log at an unknown time', () => {
    const steps = journeyOf([about('CommentCreated', 7, 2, undefined), moderated], new Map());
    expect(short(steps)).toEqual(['written', 'logged', 'judged 8', 'logged 3', 'updated waiting']);
  });

  test('clock skew marks a step, and makes no negative time', () => {
    const ahead = about('CommentModerated', 8, -500, 13);
    const steps = journeyOf([created, ahead, updated], whole);
    expect(short(steps).slice(0, 5)).toEqual(['written', 'logged 4', 'judged 0', 'logged 7', 'updated 4']);
    expect(steps.map(({ early }) => early).slice(0, 5)).toEqual([false, false, true, false, false]);
  });

  test('of several verdicts the first in the log counts; an invalid one does not', () => {
    const rejected = { data: { id: 'c', postId: 'p', status: 'rejected' } };
    const none = about('CommentModerated', 8, 9, 9, { id: 'x', data: { id: 'c', postId: 'p' } });
    const first = about('CommentModerated', 9, 10, 13, { id: 'y', ...rejected });
    const second = about('CommentModerated', 10, 11, 14, { id: 'z' });
    const judged = journeyOf([created, none, second, first], new Map()).find(({ name }) => name === 'judged');
    expect(judged?.entry).toBe(first);
  });
});

describe('whatever is known', () => {
  const ms = fc.integer({ min: -2_000, max: 5_000 });
  const entry = fc
    .record({
      type: fc.constantFrom(...(Object.keys(TYPES) as Type[])),
      made: ms,
      logged: fc.option(ms, { nil: undefined }),
      status: fc.constantFrom('pending', 'approved', 'rejected', undefined),
    })
    .map(({ type, made, logged, status }) => about(type, 1, made, logged, { data: { id: 'c', postId: 'p', status } }));
  const entries = fc
    .array(entry, { maxLength: 6 })
    .map((list) => list.map((one, index) => ({ ...one, position: index + 1, id: `e${index}` })));
  const names = fc.constantFrom('posts', 'comments', 'query', 'moderation', 'words');
  const arrivals = fc.array(
    fc.tuple(names, ms, fc.integer({ min: 1, max: 9 })).map((made) => arrival(...made)),
    { maxLength: 5 },
  );
  const reached = fc
    .array(fc.record({ arrivals, passed: fc.array(names, { maxLength: 3 }) }), { maxLength: 6 })
    .map((list) => new Map(list.map((one, index) => [index + 1, one])));
  const noted = fc
    .record({ sentAt: ms, answeredAt: ms, shownAt: ms }, { requiredKeys: [] })
    .map((times): Note => Object.fromEntries(Object.entries(times).map(([name, at]) => [name, START + at])));
  const ORDER = ['sent', 'written', 'logged', 'judged', 'logged', 'updated', 'logged', 'readable', 'shown'];

  test('steps are in causal order, gaps are never negative and add up, and no time is invented', () => {
    const property = fc.property(entries, reached, noted, (log, who, own) => {
      const steps = journeyOf(log, who, own);
      let place = 0;
      for (const { name } of steps) {
        place = ORDER.indexOf(name, place) + 1;
        expect(place).toBeGreaterThan(0);
      }
      const told = new Set([
        ...log.flatMap(({ time, recordedtime = '' }) => [Date.parse(time), Date.parse(recordedtime)]),
        ...[...who.values()].flatMap(({ arrivals }) => arrivals.map(({ deliveredAt }) => Date.parse(deliveredAt))),
        ...Object.values(own),
      ]);
      const times = steps.flatMap(({ at }) => at ?? []);
      const all = [...times, ...steps.flatMap(({ branches }) => branches.flatMap(({ at }) => at ?? []))];
      for (const at of all) expect(told).toContain(at);
      for (const { gap = 0, branches } of steps)
        for (const since of [gap, ...branches.map(({ after = 0 }) => after)]) expect(since).toBeGreaterThanOrEqual(0);
      const sum = steps.reduce((total, { gap = 0 }) => total + gap, 0);
      if (times.length > 0) expect(sum).toBe(Math.max(...times) - (times[0] as number));
      expect(steps.filter(({ state }) => state === 'waiting').length).toBeLessThanOrEqual(1);
      for (const { state, at } of steps) if (state !== 'done') expect(at).toBeUndefined();
      expect(steps.slice(0, -1).some(({ state }) => state === 'waiting')).toBe(false);
    });
    fc.assert(property, { numRuns: 1_000 });
  });
});
