import { sendComment } from '../../api/blog.ts';
import { TextForm } from '../../components/text-form.tsx';
import { useSubmission } from '../../components/use-submission.ts';
import { useFeedStore } from '../../feed/feed-context.ts';

const LIMIT = 2_000;

export function CommentForm({ postId }: { postId: string }) {
  const store = useFeedStore();
  const submission = useSubmission({
    form: `comment.${postId}`,
    subject: 'The comment',
    limit: LIMIT,
    send: (text, key, signal) =>
      store.submit({ kind: 'comment', text, postId }, () => sendComment(postId, text, key, signal)),
    announce: store.announce,
  });
  return <TextForm label="Your comment" limit={LIMIT} button="Comment" multiline submission={submission} />;
}
