/** When an event reached a subscriber, and at which attempt. */
export type Arrival = { subscription: string; deliveredAt: string; attempts: number };

/** For how many of the newest positions it is remembered. */
const NEWEST = 10_000;

/** Who has got what and when: for looking on, in memory only. */
export class Deliveries {
  #arrivals = new Map<number, Map<string, Arrival>>();
  #newest = 0;

  add(position: number, subscription: string, attempts: number): void {
    if (position <= this.#newest - NEWEST) return;
    for (; this.#newest < position; this.#newest += 1) this.#arrivals.delete(this.#newest + 1 - NEWEST);
    const arrivals = this.#arrivals.get(position) ?? new Map<string, Arrival>();
    arrivals.set(subscription, { subscription, deliveredAt: new Date().toISOString(), attempts });
    this.#arrivals.set(position, arrivals);
  }

  of(position: number): Arrival[] {
    return [...(this.#arrivals.get(position)?.values() ?? [])];
  }
}
