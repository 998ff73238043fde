// The form for a comment, and the resending of comments whose form is not on the page.

import { useState } from 'react';
import { sendComment } from '../../api/blog.ts';
import { formsBeingSent } from '../../components/draft.ts';
import { TextForm } from '../../components/text-form.tsx';
import { useSubmission } from '../../components/use-submission.ts';
import { useFeedStore } from '../../feed/feed-context.ts';

const LIMIT = 2_000;
const PREFIX = 'comment.';

function useComment(postId: string) {
  const store = useFeedStore();
  return useSubmission({
    form: PREFIX + postId,
    subject: 'The comment',
    limit: LIMIT,
    send: (text, key, signal) =>
      store.submit({ kind: 'comment', text, postId }, () => sendComment(postId, text, key, signal)),
    announce: store.announce,
  });
}

export function CommentForm({ postId }: { postId: string }) {
  return <TextForm label="Your comment" limit={LIMIT} button="Comment" multiline submission={useComment(postId)} />;
}

/**
 * Continues, after a reload, to send comments on posts that are not shown. A post's own form takes over once it is
 * shown.
 */
export function CommentsBeingSent({ shown }: { shown: readonly string[] }) {
  const [forms] = useState(formsBeingSent);
  const posts = forms.filter((form) => form.startsWith(PREFIX)).map((form) => form.slice(PREFIX.length));
  return posts.filter((id) => !shown.includes(id)).map((id) => <CommentBeingSent key={id} postId={id} />);
}

function CommentBeingSent({ postId }: { postId: string }) {
  useComment(postId);
  return null;
}
