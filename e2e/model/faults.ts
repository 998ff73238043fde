// The faults, and a person's needless commands.

import { forgive } from './invariants.ts';
import { NAMES, OWNERS, type Part, type System } from './system.ts';
import { describe, type Message } from './types.ts';

export type Step = (system: System) => string | undefined;

/** All faults. One that is listed twice comes twice as often. */
export const FAULTS: Step[] = [
  (system) => crash(system, system.anyPart()),
  (system) => crash(system, 'bus'),
  (system) => (system.net.length > 0 ? `lost: ${inWords(system.take())}` : undefined),
  repeat,
  garble,
  fail,
  backUp,
  backUp,
  (system) => restore(system, system.anyPart()),
  (system) => restore(system, 'bus'),
  loseNewest,
  refuse,
  double,
  (system) => wipe(system, system.anyPart()),
  poison,
  poison,
  redeliver,
  skip,
  replay,
  pause,
  ban,
  (system) => swap(system, !system.classicModeration),
];

/** The faults of a bare schedule, in which nothing else reveals a small loss of the log. */
export const BARE_FAULTS: Step[] = [loseNewest, replay];

const inWords = (message: Message) =>
  `${message.from} > ${message.to}: ${'answer' in message ? `answer ${message.answer.status}` : describe(message.request)}`;

// ---- The network

/** Repeats a push or a publication. (Late answers are those of exchanges given up.) */
function repeat(system: System): string | undefined {
  const message = system.pick(system.net.filter((message) => 'request' in message));
  if (!message) return;
  system.net.push(message);
  return `twice: ${inWords(message)}`;
}

/** Garbles an answer, as a proxy might. A refusal never becomes a bare 2xx, which would count for a plain delivery. */
function garble(system: System): string | undefined {
  const message = system.pick(system.net.filter(({ to }) => to === 'bus').filter((message) => 'answer' in message));
  if (!message) return;
  message.answer = { status: message.answer.checkpoint ? system.any([200, 500]) : 500 };
  return `garbled: ${inWords(message)}`;
}

/** The subscriber answers without processing anything. */
function fail(system: System): string | undefined {
  const message = system.pick(system.net.filter(({ from, to }) => from === 'bus' && to !== 'bus'));
  if (!message || !('request' in message) || message.request.kind !== 'push') return;
  // A plain subscriber's 2xx counts, so only a batch may get one here.
  const status = message.request.form === 'batch' ? system.any([200, 503]) : 503;
  system.net.splice(system.net.indexOf(message), 1);
  system.net.push({ from: message.to, to: 'bus', exchange: message.exchange, answer: { status } });
  return `not handled, ${status}: ${inWords(message)}`;
}

// ---- The parts and their databases

function crash(system: System, part: Part): string {
  partOf(system, part).crash();
  if (part !== 'bus') system.twins.delete(part);
  return `${part}: crashes`;
}

/** Starts a second process of a part, as in a rolling update. */
function double(system: System): string {
  const name = system.any(OWNERS);
  system.twins.set(name, system.services[name].twin());
  return `${name}: runs twice`;
}

export function swap(system: System, isClassic: boolean): string {
  system.classicModeration = isClassic;
  system.services.moderation.crash();
  return `moderation: now ${isClassic ? 'the classic one' : 'ours'}`;
}

function backUp(system: System): string {
  const part = system.anyPart();
  system.backups.push({ part, disk: structuredClone(partOf(system, part).disk) });
  return `${part}: backed up`;
}

function restore(system: System, part: Part): string | undefined {
  const same = system.backups.filter((backup) => backup.part === part);
  const backup = system.chance(0.5) ? same.at(-1) : system.pick(same);
  return backup && replaceDisk(system, part, structuredClone(backup.disk), 'put back');
}

/** The disk loses the bus's last write: hardly any subscriber has got that far. */
function loseNewest(system: System): string | undefined {
  return system.before && replaceDisk(system, 'bus', structuredClone(system.before), 'loses what came last');
}

export function wipe(system: System, part: Part): string {
  return replaceDisk(system, part, partOf(system, part).empty(), 'wiped');
}

function replaceDisk(system: System, part: Part, disk: unknown, how: string): string {
  Object.assign(partOf(system, part), { disk });
  crash(system, part);
  system.lost.add(part);
  if (system.isTold) system.toReplay.add(part);
  forgive(system);
  return `${part}: ${how}`;
}

function partOf({ bus, services }: System, part: Part) {
  return part === 'bus' ? bus : services[part];
}

// ---- Events and moderation

function poison(system: System): string | undefined {
  const entry = system.pick(system.bus.disk.entries.slice(-2));
  if (!system.isTold || !entry) return;
  const poison = `${system.any(NAMES)} ${entry.id}`;
  system.mayPark = true;
  system.poison.add(poison);
  return `poison: ${poison}`;
}

/** The bus refuses a post or comment of an owner for good. */
function refuse(system: System): string | undefined {
  const { posts, comments } = system.services;
  const { event } = system.pick(system.any([posts, comments]).disk.outbox) ?? {};
  const isInLog = system.bus.disk.entries.some(({ id }) => id === event?.id);
  if (!event?.id?.endsWith('Created') || isInLog) return;
  system.refused.add(event.id);
  return `the bus refuses ${event.id}`;
}

function ban(system: System): string {
  system.banned = !system.banned;
  return `the word is ${system.banned ? 'banned' : 'allowed'}`;
}

// ---- Needless commands of a person

function skip(system: System): string | undefined {
  if (!system.isTold) return;
  const name = system.any(NAMES);
  system.mayPark = true;
  system.bus.loop(name).skip();
  return `person: skips at ${name}`;
}

function redeliver(system: System): string | undefined {
  const letter = system.pick(system.bus.disk.letters);
  if (!letter) return;
  system.bus.loop(letter.subscription).redeliver(letter);
  return `person: redelivers ${letter.entry.id} to ${letter.subscription}`;
}

function replay(system: System): string {
  const name = system.isTold ? system.any(NAMES) : system.any(OWNERS);
  const last = system.bus.disk.entries.length + 1;
  const from = system.chance(0.5) ? last : 1 + Math.floor(system.number(last));
  system.bus.loop(name).replay(from);
  return `person: replays ${name} from ${from}`;
}

function pause(system: System): string {
  const name = system.any(NAMES);
  const { subscription } = system.bus.loop(name);
  subscription.paused = !subscription.paused;
  return `person: ${subscription.paused ? 'pauses' : 'resumes'} ${name}`;
}
