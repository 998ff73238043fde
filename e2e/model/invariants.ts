// The invariants, of every step and of the end.

import assert from 'node:assert/strict';
import { Service } from './service.ts';
import type { Name, System } from './system.ts';
import { type Answer, type Push, type Row, tableOf } from './types.ts';

// ---- At every step

/** Checks that the bus's copy of a subscriber's checkpoint is never ahead of the subscriber's own. */
export function watch<T>({ bus, checkpoints, orders, taken }: System, name: Name, step: () => T, answer?: Answer): T {
  const loop = bus.loop(name);
  const { position, order } = loop.subscription;
  const result = step();
  const now = loop.subscription;
  const isPlain = loop.kind === 'plain';
  const isSaid = checkpoints.has(`${name} ${bus.at(now.position)}`);
  assert(isPlain || now.position <= position || isSaid, 'no position passes what was not applied');
  if (now.order) orders.set(now.order.id, now.order.from);
  const isOver = !order || now.order || taken.has(order.id) || isPlain || answer?.status === 409;
  assert(isOver, 'an order stays until it is taken or refused');
  return result;
}

/** Records a subscriber's own checkpoint when it takes a push. */
export function watchPush({ services, checkpoints, orders, taken }: System, name: Name, push: Push): Answer {
  const before = services[name].disk.progress.replay;
  const answer = services[name].push(push);
  if (answer.checkpoint) checkpoints.add(`${name} ${answer.checkpoint}`);
  if (push.replay && answer.replay === push.replay && answer.replay !== before) {
    taken.add(push.replay);
    const place = (orders.get(push.replay) ?? 1) - 1;
    assert(push.after?.startsWith(`${place}-`), 'a replay begins where a person said');
  }
  return answer;
}

/** Forgets rows that are neither in the log nor in their owner's database any more: by the design they are lost. */
export function forgive(system: System): void {
  const { comments, moderation } = system.services;
  const { entries } = system.bus.disk;
  const inLog = new Set(entries.filter(({ type }) => type.endsWith('Created')).map(({ data }) => data.id));
  system.acknowledged = system.acknowledged.filter((row) => inLog.has(row.id) || isAtOwner(system, row));
  for (const [id, status] of system.verdicts) {
    const first = entries.find(({ type, data }) => type === 'CommentModerated' && data.id === id);
    const published = first?.data.status ?? moderation.disk.comments.get(id)?.status;
    const isKept = published === status || comments.disk.comments.get(id)?.status === status;
    if (!isKept) system.verdicts.set(id, 'any');
  }
}

const isAtOwner = ({ services }: System, row: Row) => services[tableOf(row)].disk[tableOf(row)].has(row.id);

// ---- At the end

export function check(system: System): void {
  checkLog(system);
  checkRefused(system);
  const { moderation, query } = system.services;
  for (const row of system.acknowledged) {
    const { id } = row;
    assert(query.disk[tableOf(row)].has(id), `acknowledged ${id} is in the read model`);
    assert(isAtOwner(system, row), `acknowledged ${id} is at its owner`);
  }
  for (const { id } of system.acknowledged.filter(({ postId }) => postId)) {
    const status = query.disk.comments.get(id)?.status;
    const first = system.verdicts.get(id);
    assert(status === 'approved' || status === 'rejected', `${id} has a verdict`);
    assert(first === 'any' || status === first, `${id} ends with its first verdict`);
    assert(moderation.disk.comments.has(id), `moderation has a verdict on ${id}`);
  }
  checkOrder(system, 'posts', 'PostCreated');
  checkOrder(system, 'comments', 'CommentCreated');
}

function checkLog(system: System): void {
  const { entries } = system.bus.disk;
  const ids = new Set(entries.map(({ source, id }) => `${source} ${id}`));
  assert(ids.size === entries.length, 'one log entry per source and id');
  const rebuilt = new Service({ ...system, bugs: new Set() }, 'query');
  rebuilt.push({ kind: 'push', form: 'plain', events: entries });
  const rowsOf = ({ disk: { posts, comments } }: Service) => {
    const rows = [...posts.values(), ...comments.values()].map(({ id, postId, status }) => [id, postId, status]);
    // Redelivered events come after those that followed them.
    return system.mayPark ? rows.sort() : rows;
  };
  assert(isSame(rowsOf(system.services.query), rowsOf(rebuilt)), 'the read model is as one rebuilt from the log');
}

/** An event that the bus refused is only at its owner, and still in its outbox, unless that database was lost. */
function checkRefused(system: System): void {
  const isRefused = ({ id, postId }: Row) => system.refused.has(`${id}/${postId ? 'Comment' : 'Post'}Created`);
  for (const row of system.acknowledged.filter(isRefused)) {
    const owner = tableOf(row);
    const { outbox } = system.services[owner].disk;
    const isKept = outbox.some(({ event, refused }) => refused && event.data.id === row.id);
    assert(isKept || system.lost.has(owner), 'what the bus refused is kept');
  }
  system.acknowledged = system.acknowledged.filter((row) => !isRefused(row));
}

/** The order is not checked if the log lost events, or for events published before a database was restored. */
function checkOrder({ lost, acknowledged, bus }: System, owner: 'posts' | 'comments', type: string): void {
  if (lost.has('bus') || lost.has(owner)) return;
  const told = acknowledged.filter((row) => tableOf(row) === owner).map(({ id }) => id);
  const inLog = bus.disk.entries.filter((event) => event.type === type).map(({ data }) => data.id);
  assert(isSame(told, inLog), `the order of ${owner} is kept in the log`);
}

/** Compared as text, because under Jest cloned objects have prototypes of another realm. */
const isSame = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
