// A comments service on the stage: writes comments, and compares what it shows and what it has published.
import { Failed } from '../check.ts';
import { difference, listed } from '../events.ts';
import { shown } from '../request.ts';
import { dataOf, nameOf, postCreated } from './names.ts';
import { publicationsOf } from './outbox.ts';
import type { ServiceStage } from './stage.ts';

export const PATH = '/posts/post-1/comments';
export const nameOfComment = (n: number) => `comment-${n}`;
export const sentComment = (n: number) => `POST ${PATH} comment-${n}`;

/** Our comments service wants to know the post first. */
export const prepare = (stage: ServiceStage) => stage.deliver(postCreated('post-1'));

export const create = (stage: ServiceStage, n: number) =>
  stage.call('POST', PATH, { content: nameOfComment(n) }, nameOfComment(n));

/** Creates a comment, which must succeed and be published. Returns the data of its event. */
export async function created(stage: ServiceStage, n: number, before = '') {
  const answer = await create(stage, n);
  const name = nameOfComment(n);
  if (answer.status !== 201) throw new Failed(`${before}${sentComment(n)}`, '201', shown(answer), [name]);
  if (!(await stage.published('CommentCreated', [name])))
    throw new Failed(`${before}${sentComment(n)}`, `CommentCreated of ${name}`, 'nothing of it was published', [name]);
  const [event] = publicationsOf(stage, 'CommentCreated', name);
  await stage.deliver();
  return dataOf(event);
}

type Shown = { id?: unknown; content?: unknown; status?: unknown };

export async function shows(stage: ServiceStage): Promise<{ name: string; id: unknown; status: unknown }[]> {
  const comments = await stage.read(PATH);
  if (!Array.isArray(comments)) throw new Failed(`GET ${PATH}`, 'an array of comments', 'no array');
  const found = comments.map((comment: Shown | null) => ({
    name: nameOf({ data: { content: comment?.content } }),
    id: comment?.id,
    status: comment?.status,
  }));
  stage.note(found.map(({ name, status }) => inWords(name, word(status))));
  return found;
}

const inWords = (name: string, status: unknown) => `${name} ${status}`;

/** Compares what is shown with `[name, status]`. */
export async function assertShows(stage: ServiceStage, sent: string, expected: [name: string, status: string][]) {
  const told = `${sent}; GET ${PATH}`;
  const seen = await shows(stage);
  const names = difference(expected.map(([name]) => name).sort(), seen.map(({ name }) => name).sort());
  if (names) throw new Failed(told, listed(expected.map(([name]) => name)), names.seen, names.about);
  for (const [name, status] of expected) {
    const found = seen.find((comment) => comment.name === name);
    if (found?.status !== status)
      throw new Failed(told, inWords(name, status), inWords(name, word(found?.status)), [name]);
  }
}

/** A status in a message. */
const word = (status: unknown) =>
  ['pending', 'approved', 'rejected'].includes(status as string) ? status : 'with another status';

/** Waits for the `CommentUpdated` of these comments. */
export async function assertUpdated(stage: ServiceStage, sent: string, expected: [name: string, status: string][]) {
  const names = expected.map(([name]) => name);
  if (!(await stage.published('CommentUpdated', names))) {
    const missing = names.filter((name) => !stage.bus.stored('CommentUpdated').includes(name));
    throw new Failed(sent, `CommentUpdated of ${listed(names)}`, `nothing of ${listed(missing)}`, missing);
  }
  for (const [name, status] of expected)
    for (const event of publicationsOf(stage, 'CommentUpdated', name))
      if (dataOf(event).status !== status)
        throw new Failed(sent, `CommentUpdated ${inWords(name, status)}`, inWords(name, word(dataOf(event).status)), [
          name,
        ]);
}
