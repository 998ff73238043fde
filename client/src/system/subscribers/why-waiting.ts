import { eventsText } from '../format.tsx';
import type { Step } from '../journey/journey-of.ts';
import type { SystemState } from '../system-store.ts';

/** Explains, from the current state of bus, subscriptions and parts, why a journey has not continued. */
export function whyWaiting(name: Step['name'], steps: readonly Step[], system: SystemState): string {
  const isAway = system.bus === 'away';
  if (name === 'written') return 'It was sent and is not answered yet. The page retries until it is.';
  if (system.parts.get('client')?.state === 'away') return 'The client does not answer, so the parts cannot be asked.';
  if (system.bus === 'connecting') return 'Asking the event bus…';
  if (name === 'logged') {
    const why = isAway ? ': the event bus does not answer' : ' until the event bus has stored it';
    return `Its event is stored in the outbox of comments${why}.`;
  }
  if (isAway) return 'The event bus does not answer. Nothing is delivered until it does.';
  const position = steps.findLast((step) => step.name === 'logged' && step.entry)?.entry?.position ?? 0;
  if (name === 'judged') return whyNotFrom('moderation', position, system, 'its verdict is not in the log yet');
  if (name === 'updated') return whyNotFrom('comments', position, system, 'its CommentUpdated is not in the log yet');
  return whyNotFrom('query', position, system, 'the page is about to read it');
}

function whyNotFrom(part: string, position: number, { subscriptions }: SystemState, next: string): string {
  // Of copies the one that is furthest: one is enough.
  const [subscription] = subscriptions
    .filter(({ service, state }) => service === part && state !== 'gone')
    .toSorted((a, b) => b.position - a.position);
  if (!subscription) return `${part} has no subscription here.`;
  const { name } = subscription;
  if (subscription.position >= position) return `${name} has it; ${next}.`;
  const why = {
    paused: ', and its subscription is paused',
    diverged: ', and its subscription has diverged',
    retrying: `: it fails (${subscription.lastError ?? 'the bus retries'})`,
    starting: '',
    live: '',
    gone: '',
  }[subscription.state];
  return `${name} does not have it yet. Its lag is ${eventsText(subscription.lag)}${why}.`;
}
