// The form for a comment, and the resending of comments whose form is not on the page.

import { useEffect, useRef, useState } from 'react';
import { formsBeingSent, hasDraft } from './draft.ts';
import { useFeedStore } from './feed-context.ts';
import { sendComment } from './requests.ts';
import { TextForm } from './text-form.tsx';
import { useSubmission } from './use-submission.ts';

const FIELDS = [
  { name: 'content', label: 'Your comment', subject: 'The comment', limit: 2_000, multiline: true },
] as const;
const PREFIX = 'comment.';

function useComment(postId: string) {
  const store = useFeedStore();
  return useSubmission({
    form: PREFIX + postId,
    fields: FIELDS,
    send: (texts, key, signal) =>
      store.submit({ kind: 'comment', texts, postId }, () => sendComment(postId, texts, key, signal)),
  });
}

/** The form, or the button that opens it. A draft keeps it open. */
export function CommentForm({ postId, isOpen }: { postId: string; isOpen: boolean }) {
  const [hadDraft] = useState(() => hasDraft(PREFIX + postId));
  const [isAsked, setAsked] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (isAsked) place.current?.querySelector('textarea')?.focus();
  }, [isAsked]);
  return (
    <div ref={place}>
      {isOpen || hadDraft || isAsked ? (
        <OpenForm postId={postId} />
      ) : (
        <button type="button" onClick={() => setAsked(true)}>
          Write a comment
        </button>
      )}
    </div>
  );
}

const OpenForm = ({ postId }: { postId: string }) => <TextForm button="Comment" submission={useComment(postId)} />;

/**
 * Continues to send the comments on posts that are not shown, after a reload or another view. A post's own form takes
 * over once it is shown.
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
