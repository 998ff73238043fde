// The list of the steps: `npm run lesson`, the grader and the System page read it. Plain data, no imports.

export type Step = {
  number: number;
  /** The folder's path from the root of the checkout. */
  folder: string;
  title: string;
  /** The idea that this step adds, as a phrase. */
  adds: string;
  /** The fault that `npm run lesson` injects: this step survives it, the step before does not. */
  break: string;
  /** A sentence: what the step before cannot do, of its bus and its services together. Empty for the first step. */
  before: string;
  /** An instruction to follow, with our services on the bus of the step before (`npm start -- --bus FOLDER`), to see it there. */
  try: string;
};

const curl = (event: string) => `curl localhost:4005/events -H 'Content-Type: application/json' -d '${event}'`;

export const STEPS: Step[] = [
  {
    number: 1,
    folder: 'lessons/1-fan-out',
    title: 'fan-out',
    adds: 'ten lines: each event is sent to every service',
    break: 'none: this is where the steps begin',
    before: '',
    try: '',
  },
  {
    number: 2,
    folder: 'lessons/2-log',
    title: 'a log on disk',
    adds: 'events are appended to a file and flushed before the answer; a late reader reads it',
    break: 'the bus restarts, then query: the history is gone',
    before: 'No event is kept: after the bus has sent one, nobody can read it again.',
    try: 'Write a post, then type `wipe query`: the post is gone from the page.',
  },
  {
    number: 3,
    folder: 'lessons/3-positions',
    title: 'a position for each subscriber',
    adds: 'one loop for each subscriber, which retries with backoff and jitter',
    break: 'a service is away for two seconds: it never hears',
    before: 'Each event is sent once: a service that is away at that moment never gets it.',
    try: 'Our services read the log when they start. Leave moderation out (`--without moderation`), run `npx node bench/naive/moderation.ts` in another terminal, end it, comment, run it again: the comment stays pending.',
  },
  {
    number: 4,
    folder: 'lessons/4-once',
    title: 'each event once',
    adds: 'ids, by which the bus and its subscribers recognise an event; a consumer that is idempotent',
    break: 'the bus dies between push and position: a comment shows twice',
    before: 'An event that comes twice is not recognised: one that is published twice is in the log twice.',
    try: `Publish an event twice: \`${curl('{"id": "e1", "type": "Tested"}')}\`, then read the log: \`curl localhost:4005/events\`.`,
  },
  {
    number: 5,
    folder: 'lessons/5-outbox',
    title: 'an outbox',
    adds: 'the change and its event are stored in one transaction, and a relay publishes the event afterwards',
    break: 'posts dies between its database and the bus: a post that nobody hears of',
    before: 'A service that dies between storing a post and publishing it leaves one that nobody hears of.',
    try: 'Our posts has an outbox: type `stop event-bus`, write a post, type `start event-bus`, and the post comes.',
  },
  {
    number: 6,
    folder: 'lessons/6-dead-letters',
    title: 'dead letters',
    adds: 'an event that a subscriber refuses is put aside, shown, and can be sent again',
    break: 'one poison event: everything behind it waits for ever',
    before: 'An event is repeated until it is taken: one that a service refuses for ever blocks all behind it.',
    try: `Publish a PostCreated without an id: \`${curl('{"type": "PostCreated", "data": {}}')}\`, then write a post: it never comes.`,
  },
  {
    number: 7,
    folder: 'lessons/7-replay',
    title: 'ordering and replay',
    adds: 'subscribers name their checkpoint; a lost read model is rebuilt; the first verdict stands',
    break: "a late and a repeated verdict, and then query's database is lost",
    before: 'The bus trusts its own positions: a service that lost its database does not get the events again.',
    try: 'Our query reads the whole log when it starts, so `wipe query` loses nothing: `npm run lesson -- 7` shows it with the query of this step.',
  },
  {
    number: 8,
    folder: 'lessons/8-engine',
    title: 'hand it to an engine',
    adds: 'the same contract on NATS JetStream: what one no longer writes, and what one still must',
    break: 'the machine with the log is lost',
    before: 'The log is on one disk: if the disk is lost, so is every event.',
    try: 'Type `wipe event-bus`, then write a post: the log is gone, and query waits for the next event of the one that it knows.',
  },
];
