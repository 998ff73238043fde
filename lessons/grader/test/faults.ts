// The faults of faulty-bus.ts and faulty-moderation.ts, each with the check of the grader that has to find it. Plain data.

/** `isFull`: the fault is so rare that a short run does not show it. */
export const FAULTS = [
  { name: 'acknowledges what is no event', step: 2, check: 'no-event' },
  { name: 'drops unknown fields', step: 1, check: 'unchanged' },
  { name: 'truncates large events', step: 1, check: 'unchanged' },
  { name: 'has one loop for all subscribers', step: 1, check: 'others' },
  { name: 'acknowledges before the write', step: 2, check: 'kill' },
  { name: 'loses one event in a hundred at a restart', step: 2, check: 'kill-amidst', isFull: true },
  { name: 'skips an event after a failure', step: 3, check: 'away' },
  { name: 'gives up after five attempts', step: 3, check: 'refusing' },
  { name: 'puts a 503 aside', step: 3, check: 'refusing' },
  { name: 'waits for a hanging subscriber', step: 3, check: 'hanging' },
  { name: 'delivers out of order, rarely', step: 3, check: 'order', isFull: true },
  { name: 'lists concurrent events in another order', step: 3, check: 'order' },
  { name: 'sends two events at once', step: 3, check: 'order' },
  { name: 'forgets positions at a restart', step: 3, check: 'kill-away' },
  { name: 'stores the position before the push', step: 3, check: 'kill-away' },
  { name: 'takes memory for each event', step: 3, check: 'backlog' },
  { name: 'sends events without an id', step: 4, check: 'ids' },
  { name: 'checks an id too early', step: 4, check: 'twice-at-once' },
  { name: 'forgets ids at a restart', step: 4, check: 'twice-restart' },
  { name: 'sends an event again with a new id', step: 4, check: 'between' },
  { name: 'retries a refused event for ever', step: 6, check: 'poison' },
  { name: 'redelivers to every subscriber', step: 6, check: 'redeliver' },
  { name: 'forgets a dead letter that is refused again', step: 6, check: 'redeliver' },
  { name: 'keeps dead letters in memory only', step: 6, check: 'poison-kill' },
  { name: 'names the wrong event-after', step: 7, check: 'headers' },
  { name: 'ignores the checkpoint', step: 7, check: 'lost-start' },
  { name: 'asks at its start only', step: 7, check: 'lost' },
] as const satisfies { name: string; step: number; check: string; isFull?: boolean }[];

/** The faults of faulty-moderation.ts. */
export const MODERATION_FAULTS = [
  { name: 'leaves the content out', step: 1, check: 'routes' },
  { name: 'alters the content', step: 1, check: 'routes' },
  { name: 'refuses types that it does not know', step: 1, check: 'robust' },
  { name: 'judges differently the second time', step: 4, check: 'twice' },
  { name: 'answers before the bus has the verdict', step: 5, check: 'outbox-away' },
  { name: 'takes a 500 of the bus as success', step: 5, check: 'outbox-away' },
  { name: 'answers 500 to a poison event', step: 6, check: 'no-ids' },
  { name: 'refuses numeric ids', step: 7, check: 'classic' },
] as const satisfies { name: string; step: number; check: string }[];
