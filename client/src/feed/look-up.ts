import { readPost } from '../api/blog.ts';
import type { Message, PostPage } from '../api/types.ts';
import type { Own } from './own.ts';

/** Reads a post from its first comment on until at least `count` of them are there, or all. */
export async function readAtLeast(id: string, count: number): Promise<PostPage> {
  let page = await readPost(id);
  while (page.hasNext && page.comments.length < count) {
    const next = await readPost(id, page.comments.at(-1)?.id);
    if (next.comments.length === 0) break;
    page = { ...next, comments: [...page.comments, ...next.comments] };
  }
  return page;
}

/** Looks for an own item in the read model, behind the comment `cursor`; undefined if it is not there (yet). */
export async function findOwn(own: Own, cursor: string | undefined): Promise<Message | undefined> {
  if (own.kind === 'post') {
    const { post, comments } = await readPost(own.id);
    return { post, comments };
  }
  for (let after = cursor; ; ) {
    const page = await readPost(own.postId, after);
    const comments = page.comments.filter((comment) => comment.id === own.id);
    if (comments.length > 0) return { post: page.post, comments };
    const last = page.comments.at(-1);
    if (!page.hasNext || !last) return undefined;
    after = last.id;
  }
}
