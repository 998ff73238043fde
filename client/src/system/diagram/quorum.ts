// The quorum that has the log, and the copies of the bus before it, in words.

import type { Quorum } from '../bus.ts';
import type { SystemState } from '../system-store.ts';

/** The bus's quorum; undefined if its log is a file of its own. */
export function quorumOf(parts: SystemState['parts']): Quorum | undefined {
  const bus = parts.get('event-bus');
  return bus && 'quorum' in bus ? bus.quorum : undefined;
}

const STATES = { leads: 'leads', current: 'is current', behind: 'is catching up', offline: 'is offline' };

/** The leader, and the state of each node. */
export function quorumTexts({ leader, copies, nodes }: Quorum): string[] {
  const others = copies.filter((name) => name !== leader);
  const follow =
    others.length > 0 ? `, and ${others.join(', ')} pass${others.length > 1 ? '' : 'es'} requests on to it` : '';
  const texts = leader === undefined ? [] : [`${leader} leads the bus${follow}.`];
  if (nodes.length === 0) return texts;
  const states = nodes.map(({ name, state }) => `${name} ${STATES[state]}`).join(', ');
  return [...texts, `The log is on a quorum of ${nodes.length} nodes: ${states}.`];
}

/** Sentences about what is wrong with it. */
export function quorumTroubles({ leader, nodes }: Quorum): string[] {
  const up = nodes.filter(({ state }) => state !== 'offline').length;
  const size = `${up} of ${nodes.length} nodes`;
  const waits = 'Until then nothing is added to the log: events wait in the outboxes, and none is lost.';
  if (nodes.length > 0 && up <= nodes.length / 2)
    return [`The quorum is lost: ${size} can be reached, and more than half must be. ${waits}`];
  const troubles = [];
  if (nodes.length > 0 && !nodes.some(({ state }) => state === 'leads'))
    troubles.push(`No node of the quorum leads: they are electing a leader, which takes some seconds. ${waits}`);
  if (leader === undefined)
    troubles.push(
      'No copy of the bus leads: one of them takes over within seconds. Until then events wait in the outboxes.',
    );
  if (up < nodes.length)
    troubles.push(`Only ${size} of the quorum can be reached. It works as long as more than half can.`);
  return troubles;
}
