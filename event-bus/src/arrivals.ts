/** The first arrival of an event at a subscriber, and its attempt. */
export type Arrival = { subscription: string; deliveredAt: string; attempts: number };

/** The number of newest positions whose arrivals are remembered. */
const NEWEST = 10_000;

/** The arrivals of the newest events at subscribers, for people who look on: in memory only. */
export class Arrivals {
  #of = new Map<number, Arrival[]>();
  #newest = 0;

  add(events: readonly { position: number }[], subscription: string, attempts: number): void {
    const arrival = { subscription, deliveredAt: new Date().toISOString(), attempts };
    for (const { position } of events) {
      this.#newest = Math.max(this.#newest, position);
      if (position <= this.#newest - NEWEST) continue;
      const arrivals = this.#of.get(position) ?? [];
      // Only the first: a replay comes later, and is not the time that the event took.
      if (arrivals.every((one) => one.subscription !== subscription)) arrivals.push(arrival);
      this.#of.set(position, arrivals);
      const [oldest = 0] = this.#of.keys();
      if (this.#of.size > NEWEST) this.#of.delete(oldest);
    }
  }

  of(position: number): Arrival[] {
    return position > this.#newest - NEWEST ? (this.#of.get(position) ?? []) : [];
  }
}
