// Any answer of a read model, ours or foreign, becomes posts that the page can show.
import { afterEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readPosts } from '../src/blog/requests.ts';
import { client } from '../src/shared/http.ts';

const adapter = client.defaults.adapter;
afterEach(() => {
  client.defaults.adapter = adapter;
});

// JavaScript moves ids that look like numbers to the front of an object.
const id = fc.oneof(fc.nat(50).map(String), fc.string({ minLength: 1 })).filter((text) => text !== '__proto__');
const text = fc.option(fc.string());
const seqs = (length: number) => fc.uniqueArray(fc.nat(), { minLength: length, maxLength: length });
const comment = fc.record(
  {
    id,
    content: text,
    status: fc.constantFrom('pending', 'approved', 'rejected'),
    createdAt: text,
    more: fc.anything(),
  },
  { requiredKeys: ['id'] },
);
const post = fc.record(
  { id, title: text, createdAt: text, comments: fc.array(comment, { maxLength: 4 }) },
  { requiredKeys: ['id'] },
);
/** A list in ascending order of seq, with or without the seq itself. */
const list = fc
  .uniqueArray(post, { selector: ({ id }) => id, maxLength: 8 })
  .chain((posts) => fc.tuple(fc.constant(posts), seqs(posts.length), seqs(4), fc.boolean(), fc.boolean()));

async function read(body: object) {
  client.defaults.adapter = async (config) => {
    const data = JSON.stringify(body);
    return { data: JSON.parse(data), status: 200, statusText: 'OK', headers: {}, config };
  };
  return (await readPosts()).posts;
}

test('every post and comment is there once, in the order of seq, with nothing missing', async () => {
  const property = fc.asyncProperty(list, async ([posts, postSeqs, commentSeqs, hasSeq, shuffled]) => {
    const rising = (numbers: number[]) => numbers.toSorted((a, b) => a - b);
    const sent = posts.map((post, i) => ({
      ...post,
      ...(hasSeq && { seq: rising(postSeqs)[i] }),
      ...(post.comments && {
        comments: post.comments.map((comment, at) => ({ ...comment, ...(hasSeq && { seq: rising(commentSeqs)[at] }) })),
      }),
    }));
    // With a seq any order of arrival gives the same result; without one the order of arrival counts.
    const arriving = <Item,>(items: Item[]) => (hasSeq && shuffled ? items.toReversed() : items);
    const body = Object.fromEntries(
      arriving(sent).map(({ comments, ...item }) => [
        item.id,
        { ...item, ...(comments && { comments: arriving(comments) }) },
      ]),
    );
    const wanted = hasSeq ? sent : (Object.values(body) as typeof sent);

    const shown = await read(body);
    expect(shown.map(({ post }) => post.id)).toEqual(wanted.map(({ id }) => id).reverse());
    for (const [i, { post, comments }] of shown.toReversed().entries()) {
      const { title = null, createdAt = null, comments: own = [] } = wanted[i] as (typeof sent)[number];
      expect(post).toMatchObject({ title, createdAt, commentCount: own.length, seq: expect.any(Number) });
      expect(comments.map(({ id }) => id)).toEqual(own.map(({ id }) => id));
      expect(rising(comments.map(({ seq }) => seq))).toEqual([...new Set(comments.map(({ seq }) => seq))]);
      for (const [at, shownComment] of comments.entries()) {
        const { content = null, status = 'approved' } = own[at] as (typeof own)[number];
        expect(shownComment).toMatchObject({ postId: post.id, content, status, seq: expect.any(Number) });
      }
    }
  });
  await fc.assert(property, { numRuns: 300 });
});
