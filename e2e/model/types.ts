// What the parts of the model exchange; the names are those of the design.

/** A post, a comment or a verdict: in a table and in an event. Both tables have the name of the owner of their rows. */
export type Row = { id: string; postId?: string; status?: string };
export const tableOf = ({ postId }: Row) => (postId ? 'comments' : 'posts');
/** An event without an id is a classic one. */
export type Event = { id?: string; source: string; type: string; data: Row; time: number };
export type Entry = Event & { id: string; position: number; checksum: string };

/** `<position>-<checksum>`: a place in one history of the log. */
export type Checkpoint = string;
export const NEW: Checkpoint = '0';
export const positionOf = (checkpoint: Checkpoint): number => Number.parseInt(checkpoint, 10);

export type Publish = { kind: 'publish'; source: string; events: Event[]; published?: Checkpoint };
/** Without `after` and `upto`: a plain delivery, such as a redelivery. */
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

/** A request in a few words, for the trace. */
export function describe(request: Request): string {
  if (request.kind === 'ask') return 'where do you stand?';
  const ids = request.events.map(({ id, data }) => id ?? `classic ${data.id}`).join(' ');
  if (request.kind === 'publish') return `publish (told ${request.published ?? 'nothing'}) ${ids}`;
  const places = request.after ? `${request.after}..${request.upto}` : 'redelivery';
  return `${request.form} ${places}${request.replay ? ` order ${request.replay}` : ''} ${ids}`;
}

/** Each is one line of a part, left out or done wrong; some schedule must find it. */
export const BUGS = [
  'a checkpoint moves before the effects',
  'the outbox row is written after the change',
  'the relay forgets rows before the answer',
  'the relay does not say what it was told',
  'a batch that is refused is kept back whole',
  'an event that is refused is dropped',
  'an event that is refused stops the outbox',
  'the bus answers before it has committed',
  'the bus does not recognise what it has',
  'the bus advances on a bare 2xx to a batch',
  'a restored log is told by positions alone',
  'an old answer counts as the stand after a replay',
  'an order is forgotten once it is sent',
  'a replay order is taken twice',
  'an order from anywhere takes back what the relay was told',
  'an order does not publish own rows again',
  'a dead letter is written after the loop moves on',
  'a dead letter goes before it is redelivered',
  'parked events at the head are never passed',
  'a prepared batch survives a replay',
  'a batch is applied wherever it begins',
  'a verdict is judged again',
  'a status goes back',
  'a later verdict replaces the first',
  'a verdict that is there already is not told again',
  'a comment before its post is dropped',
] as const;
export type Bug = (typeof BUGS)[number];
