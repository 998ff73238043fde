/** What the parts of the model exchange; the names are those of the design. */
export type Data = { id: string; postId?: string; status?: string };
/** An event without an id is a classic one. */
export type Event = { id?: string; source: string; type: string; data: Data; time: number };
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
export type Answer = {
  status: number;
  checkpoint?: Checkpoint;
  replay?: string;
};
export type Message = { from: string; to: string; exchange: number } & ({ request: Request } | { answer: Answer });

/** What a part uses of the world around it. */
export type World = {
  bugs: ReadonlySet<Bug>;
  now: () => number;
  uuid: () => string;
  /** Sends a request; its answer comes to the part's `answered`, unless it is lost. */
  send: (from: string, to: string, request: Request) => number;
  /** Whether the handler of this part throws on this event. */
  isPoison: (part: string, event: Event) => boolean;
  /** Whether the bus refuses this event for good, as one that is too large. */
  isRefused: (event: Event) => boolean;
  /** Whether a word is banned changes: only the first verdict counts. */
  verdict: (comment: string) => string;
  /** The model's own word for "this must never happen". */
  assert: (holds: boolean, rule: string) => void;
};

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
