/** The first arrival of an event at a subscriber, and its attempt. */
export type Arrival = { subscription: string; deliveredAt: string; attempts: number };

/** The number of newest positions whose arrivals are remembered. */
const NEWEST = 10_000;

/** The arrivals of the newest events at subscribers, for people who look on: in memory only. */
export class Arrivals {
  /** A ring buffer: an event's place in it is its position modulo its size. */
  #ring: { position: number; arrivals: Arrival[] }[] = [];

  add(events: readonly { position: number }[], subscription: string, attempts: number): void {
    const arrival = { subscription, deliveredAt: new Date().toISOString(), attempts };
    for (const { position } of events) {
      const there = this.#ring[position % NEWEST];
      if (!there || there.position < position) this.#ring[position % NEWEST] = { position, arrivals: [arrival] };
      // Only the first: a replay comes later, and is not the time that the event took.
      else if (there.position === position && !there.arrivals.some((one) => one.subscription === subscription))
        there.arrivals.push(arrival);
    }
  }

  of(position: number): Arrival[] {
    const there = this.#ring[position % NEWEST];
    return there?.position === position ? there.arrivals : [];
  }
}
