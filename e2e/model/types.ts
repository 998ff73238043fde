// The messages between the parts of the model; the names are those of the design.

/** A post, a comment or a verdict, in a table and in an event. Each table has the name of its rows' owner. */
export type Row = { id: string; postId?: string; status?: string };
export const tableOf = ({ postId }: Row) => (postId ? 'comments' : 'posts');
/** An event without an id is a classic one. */
export type Event = { id?: string; source: string; type: string; data: Row; time: number };
export type Entry = Event & { id: string; position: number; checksum: string };

/** `<position>-<checksum>`: a position in one particular history of the log. */
export type Checkpoint = string;
export const NEW: Checkpoint = '0';
export const positionOf = (checkpoint: Checkpoint): number => Number.parseInt(checkpoint, 10);

export type Publish = { kind: 'publish'; source: string; events: Event[]; published?: Checkpoint };
/** Without `after` and `upto` it is a plain delivery, such as a redelivery. */
export type Push = {
  kind: 'push';
  form: 'batch' | 'plain';
  events: Entry[];
  after?: Checkpoint;
  upto?: Checkpoint;
  replay?: string;
};
export type Request = Publish | Push | { kind: 'ask' };
export type Answer = { status: number; checkpoint?: Checkpoint; replay?: string };
export type Message = { from: string; to: string; exchange: number } & ({ request: Request } | { answer: Answer });

/** Describes a request briefly, for the trace. */
export function describe(request: Request): string {
  if (request.kind === 'ask') return 'ask for the checkpoint';
  const ids = request.events.map(({ id, data }) => id ?? `classic ${data.id}`).join(' ');
  if (request.kind === 'publish') return `publish (told ${request.published ?? 'nothing'}) ${ids}`;
  const range = request.after ? `${request.after}..${request.upto}` : 'redelivery';
  return `${request.form} ${range}${request.replay ? ` order ${request.replay}` : ''} ${ids}`;
}

/** The planted bugs: each is one line of a part, left out or done wrong. Some schedule must find it. */
export const BUGS = [
  'a checkpoint moves before the effects',
  'the outbox row is written after the change',
  'the relay forgets rows before the answer',
  'the relay does not send its last checkpoint',
  'a refused batch is kept as a whole',
  'an event that is refused is dropped',
  'an event that is refused stops the outbox',
  'the bus answers before it has committed',
  'the bus does not recognise what it has',
  'the bus advances on a bare 2xx to a batch',
  'a restored log is recognised by positions alone',
  'an old answer counts as the checkpoint after a replay',
  'an order is forgotten once it is sent',
  'a replay order is taken twice',
  'an order from anywhere resets the checkpoint of the relay',
  'an order does not publish own rows again',
  'a dead letter is written after the loop moves on',
  'a dead letter goes before it is redelivered',
  'parked events at the head are never passed',
  'a prepared batch survives a replay',
  'a batch is applied wherever it begins',
  'a verdict is judged again',
  'a status goes back',
  'a later verdict replaces the first',
  'a known verdict is not published again',
  'a comment before its post is dropped',
] as const;
export type Bug = (typeof BUGS)[number];
