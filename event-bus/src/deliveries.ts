/** When an event first reached a subscriber, and at which attempt. */
export type Arrival = { subscription: string; deliveredAt: string; attempts: number };
type Run = Arrival & { from: number; upto: number };

/** For how many of the newest positions it is remembered. */
const NEWEST = 10_000;

/** Who has got what and when: for looking on, in memory only. What arrived in one push is one entry. */
export class Deliveries {
  #runs = new Map<string, Run[]>();
  #newest = 0;

  add(positions: number[], subscription: string, attempts: number): void {
    const deliveredAt = new Date().toISOString();
    const runs = this.#runs.get(subscription) ?? [];
    let run: Run | undefined;
    for (const position of positions) {
      if (run?.upto === position - 1) {
        run.upto = position;
        continue;
      }
      run = { subscription, deliveredAt, attempts, from: position, upto: position };
      runs.push(run);
    }
    this.#newest = Math.max(this.#newest, run?.upto ?? 0);
    while (runs.length > NEWEST || (runs[0] && this.#isOld(runs[0].upto))) runs.shift();
    this.#runs.set(subscription, runs);
  }

  of(position: number): Arrival[] {
    if (this.#isOld(position)) return [];
    // A replay comes later, and is not how long the event took.
    const first = [...this.#runs.values()].map((runs) =>
      runs.find((run) => run.from <= position && position <= run.upto),
    );
    return first.filter((run) => run !== undefined).map(({ from, upto, ...arrival }) => arrival);
  }

  #isOld(position: number): boolean {
    return position <= this.#newest - NEWEST;
  }
}
