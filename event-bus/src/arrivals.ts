import type { Observer } from '@blog/common/core/observer.ts';

/** The first arrival of an event at a subscriber, and its attempt. */
export type Arrival = { subscription: string; deliveredAt: string; attempts: number };
type Run = Arrival & { from: number; upto: number };

/** The number of newest positions whose arrivals are remembered. */
const NEWEST = 10_000;

/** The arrivals of events at subscribers, for people who look on: in memory only. The events of one push are one entry. */
export class Arrivals {
  #runs = new Map<string, Run[]>();
  #newest = 0;

  /** An observer that also remembers arrivals. */
  watching(observer: Observer): Observer {
    return {
      ...observer,
      step: (step, events, circumstances = {}) => {
        const { subscription = '', attempt = 1 } = circumstances;
        if (step === 'answered') this.#add(events, subscription, attempt);
        observer.step(step, events, circumstances);
      },
    };
  }

  of(position: number): Arrival[] {
    if (this.#isOld(position)) return [];
    // The first: a replay comes later, and is not the time that the event took.
    const first = [...this.#runs.values()].map((runs) =>
      runs.find((run) => run.from <= position && position <= run.upto),
    );
    return first.filter((run) => run !== undefined).map(({ from, upto, ...arrival }) => arrival);
  }

  #add(events: readonly { position?: number }[], subscription: string, attempts: number): void {
    const deliveredAt = new Date().toISOString();
    const runs = this.#runs.get(subscription) ?? [];
    let run: Run | undefined;
    for (const { position = 0 } of events) {
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

  #isOld(position: number): boolean {
    return position <= this.#newest - NEWEST;
  }
}
