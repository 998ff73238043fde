import type { Step } from '../journey/journey-of.ts';
import type { SystemState } from '../system-store.ts';

/** Explains, from the current state of bus, subscriptions and parts, why a journey has not continued. */
export function whyWaiting(name: Step['name'], steps: readonly Step[], system: SystemState): string {
  if (name === 'written') return 'It was sent and is not answered yet. The page retries until it is.';
  if (system.bus === 'connecting') return 'Asking the event bus…';
  if (system.bus === 'away' && name !== 'logged')
    return 'The event bus does not answer. Nothing is delivered until it does.';
  const position = steps.findLast((step) => step.name === 'logged' && step.entry)?.entry?.position ?? 0;
  switch (name) {
    case 'logged':
      return `Its event is stored in the outbox of comments${
        system.bus === 'away' ? ': the event bus does not answer' : ' until the event bus has stored it'
      }.`;
    case 'judged':
      return whyNotFrom('moderation', position, system, 'its verdict is not in the log yet');
    case 'updated':
      return whyNotFrom('comments', position, system, 'its answer to it, CommentUpdated, is not in the log yet');
    default:
      return whyNotFrom('query', position, system, 'the page is about to read it');
  }
}

function whyNotFrom(part: 'moderation' | 'comments' | 'query', position: number, system: SystemState, next: string) {
  const subscription = system.subscriptions.find((one) => one.name === part);
  if (!subscription) return `${part} has no subscription here.`;
  const { state, lag, lastError } = subscription;
  if (subscription.position >= position) return `${part} has it; ${next}.`;
  const events = lag === 1 ? '1 event' : `${lag.toLocaleString()} events`;
  const why = {
    paused: ', and its subscription is paused',
    diverged: ', and its subscription has diverged',
    retrying: `: it fails (${lastError ?? 'the bus retries'})`,
    starting: '',
    live: '',
  }[state];
  return `${part} does not have it yet. Its lag is ${events}${why}.`;
}
