// The one interface by which the pipeline is observed. Core and the bus call it at the named steps of an event's way;
// observe/ implements it with counters, spans, debug lines and failpoints. Everything works without it.

type Line = (fields: object, message: string) => void;
export type Log = { debug: Line; info: Line; warn: Line; error: Line; fatal: Line };

/** The steps of an event's way. At the first six a crash comes between two things that belong together. */
export type Step =
  | 'written' // An owner has committed a change; its caller has no answer yet.
  | 'read' // A relay has read a batch from the outbox; the bus does not have it yet.
  | 'logged' // The bus has committed the events of a publisher; the publisher has no answer yet.
  | 'sent' // The bus has answered the relay; the rows are still in the outbox.
  | 'applied' // A subscriber has committed the effects and its checkpoint; the bus has no answer yet.
  | 'answered' // A subscriber has answered; the position that the bus keeps has not moved.
  | 'parked' // An event has become a dead letter.
  | 'failed'; // A delivery has failed, and is tried again.

/** An event on its way: parsed, or as the text of its record. */
export type Seen = { record?: string; position?: number; eventId?: string; type?: string; traceparent?: string };

/** The circumstances of a step: `cause` is the traceparent of the request that brought the events. */
export type Circumstances = {
  subscription?: string;
  attempt?: number;
  reason?: string;
  cause?: string;
  began?: number;
};

/** An exchange that carries events, from its begin to its end. */
export type Sending = { traceparent?: string; end(error?: string): void };

export interface Observer {
  readonly log: Log;
  step(step: Step, events: readonly Seen[], circumstances?: Circumstances): void;
  /** Begins an exchange that carries events to `to`; the request has its `traceparent`. */
  sending(events: readonly Seen[], to: string, attempt?: number): Sending;
  /** Begins to apply events: the ones returned carry the traceparents of what follows from them. */
  applying<E extends Seen>(events: E[], cause?: string): { events: E[]; end(error?: string): void };
}
