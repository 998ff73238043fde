import type { KnownEvent } from '@blog/common/core/events.ts';
import { attributesOf } from '@blog/common/observe/spans.ts';
import { type Span, tracing } from '@blog/common/observe/traces.ts';

/** How many changes are followed to the readers at a time. */
const FOLLOWED = 100;

/** The end of a trace: from when an event was applied until what it changed is sent to the readers of the stream. */
export class Pushes {
  #waiting: Span[] = [];

  applied(events: KnownEvent[], readers: number): void {
    if (!tracing.start) return;
    if (readers === 0) this.#waiting = [];
    if (readers === 0) return;
    for (const event of events) {
      if (!event.traceparent || this.#waiting.length === FOLLOWED) return;
      const attributes = attributesOf('push', 'stream', event);
      this.#waiting.push(tracing.start('push stream', { kind: 'producer', parent: event.traceparent, attributes }));
    }
  }

  sent(): void {
    for (const span of this.#waiting.splice(0)) span.end();
  }
}
