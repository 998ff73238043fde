import { quorumOf } from './diagram/quorum.ts';
import type { SystemState } from './system-store.ts';

const TOLD = ['diverged', 'paused', 'gone'];

/** Announcements for screen readers: changes of state that the diagram shows, never single events. */
export function newsOf(before: SystemState, after: SystemState): string[] {
  const news: string[] = [];
  const isSeen = [before, after].every(({ parts }) => parts.get('client')?.state !== 'away');
  const [did, does] = [before, after].map(({ bus }) => bus === 'here' || bus === 'foreign');
  if (isSeen && did && after.bus === 'away') news.push('The event bus does not answer.');
  if (isSeen && before.bus === 'away' && does) news.push('The event bus answers again.');
  for (const [name, { state }] of after.parts) {
    const was = before.parts.get(name)?.state;
    if (name === 'event-bus' || was === undefined || was === state) continue;
    news.push(state === 'ready' ? `${name} is ready again.` : `${name} is ${state}.`);
  }
  const states = new Map(before.subscriptions.map(({ name, state }) => [name, state]));
  for (const { name, state } of after.subscriptions) {
    const was = states.get(name);
    if (was === undefined || was === state) continue;
    if (TOLD.includes(state)) news.push(`The subscription ${name} is ${state}.`);
    else if (TOLD.includes(was)) news.push(`The subscription ${name} continues.`);
  }
  const [led, leads] = [before, after].map(({ parts }) => quorumOf(parts)?.leader);
  if (led && leads && led !== leads) news.push(`${leads} leads the event bus now.`);
  return news;
}
