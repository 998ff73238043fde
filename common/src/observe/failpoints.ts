/** The places where a crash comes between two things that belong together. */
export const failpoints = [
  /** An owner has committed a change; its caller has no answer yet. */
  'written-not-answered',
  /** A relay has read a batch from the outbox; the bus has not got it. */
  'read-not-sent',
  /** The bus has committed what a publisher sent; the publisher has no answer yet. */
  'logged-not-answered',
  /** The bus has answered the relay; the rows are still in the outbox. */
  'sent-not-forgotten',
  /** A subscriber has committed the effects and its checkpoint; the bus has no answer yet. */
  'applied-not-answered',
  /** A subscriber has answered; the position that the bus keeps has not moved. */
  'answered-not-advanced',
] as const;

const armed = process.env.FAILPOINT;

/** Kills its own process (SIGKILL) when it first comes here with `FAILPOINT` set to this name; otherwise does nothing. */
export function failpoint(name: (typeof failpoints)[number]): void {
  if (name === armed) process.kill(process.pid, 'SIGKILL');
}
