// The form for a new post.

import { sendPost } from '../../api/blog.ts';
import { TextForm } from '../../components/text-form.tsx';
import { useSubmission } from '../../components/use-submission.ts';
import { useFeedStore } from '../../feed/feed-context.ts';

const LIMIT = 200;

export function PostForm() {
  const store = useFeedStore();
  const submission = useSubmission({
    form: 'post',
    subject: 'The title',
    limit: LIMIT,
    send: (text, key, signal) => store.submit({ kind: 'post', text }, () => sendPost(text, key, signal)),
    announce: store.announce,
  });
  return <TextForm label="Title" limit={LIMIT} button="Post" submission={submission} />;
}
