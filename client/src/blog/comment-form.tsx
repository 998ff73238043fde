import { useEffect, useRef, useState } from 'react';
import { useFeedStore } from './feed-context.ts';
import { commentForm } from './fields.ts';
import { TextForm } from './text-form.tsx';

/** The form for a comment, or the button that opens it. A draft keeps it open. */
export function CommentForm({ postId, isOpen }: { postId: string; isOpen: boolean }) {
  const { submissions } = useFeedStore();
  const form = commentForm(postId);
  const [hadDraft] = useState(() => Object.keys(submissions.of(form).draft.texts).length > 0);
  const [isAsked, setAsked] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (isAsked) place.current?.querySelector('textarea')?.focus();
  }, [isAsked]);
  return (
    <div ref={place}>
      {isOpen || hadDraft || isAsked ? (
        <TextForm form={form} button="Comment" />
      ) : (
        <button type="button" onClick={() => setAsked(true)}>
          Write a comment
        </button>
      )}
    </div>
  );
}
