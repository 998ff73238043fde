// The repairs of a person after the faults have stopped.

import assert from 'node:assert/strict';
import { swap, wipe } from './faults.ts';
import { NAMES, OWNERS, type System } from './system.ts';
import { NEW } from './types.ts';

const QUIET_STEPS = 6_000;
const REPAIRS = 12;

/** Ends the faults, and repairs what does not repair itself. */
export function recover(system: System): void {
  system.say('the faults stop');
  swap(system, false);
  system.poison.clear();
  system.twins.clear();
  for (const name of NAMES) system.bus.loop(name).subscription.paused = false;
  for (let repairs = 0; repairs < REPAIRS; repairs += 1) {
    // A loss of the log is noticed by the next publisher.
    system.say(system.post());
    settle(system);
    system.say(system.comment());
    settle(system);
    const repaired = repair(system);
    if (!repaired) return;
    system.say(repaired);
    settle(system);
  }
  assert.fail('a person can repair it');
}

/** Takes one step that the design asks of a person, if there is one. */
function repair(system: System): string | undefined {
  const { bus, toReplay } = system;
  if (NAMES.some((name) => bus.loop(name).isDiverged) || toReplay.delete('bus')) {
    for (const name of OWNERS) bus.loop(name).replay();
    system.say(wipe(system, 'query'));
    return 'person: replays the owners, deletes the database of query';
  }
  if (toReplay.size > 0) {
    const names = [...toReplay].join(', ');
    for (const name of NAMES) if (toReplay.has(name)) bus.loop(name).replay();
    toReplay.clear();
    return `person: replays ${names}`;
  }
  if (bus.disk.letters.length === 0) return;
  for (const letter of bus.disk.letters) bus.loop(letter.subscription).redeliver(letter);
  return 'person: redelivers all dead letters';
}

function settle(system: System): void {
  for (let step = 0; step < QUIET_STEPS; step += 1) {
    if (isQuiet(system)) return;
    const isStuck = system.net.length === 0 || system.chance(0.02);
    system.say((isStuck ? system.timeout() : undefined) ?? system.work());
  }
  assert.fail('when the faults stop, lag returns to 0');
}

function isQuiet({ net, bus, services }: System): boolean {
  if (net.some((message) => 'request' in message && message.request.kind !== 'ask')) return false;
  const head = bus.disk.entries.length === 0 ? [bus.at(), NEW] : [bus.at()];
  return NAMES.every((name) => {
    const { isQuiet, isDiverged } = bus.loop(name);
    return (
      isQuiet && (isDiverged || (services[name].isQuiet && head.includes(services[name].disk.progress.checkpoint)))
    );
  });
}
