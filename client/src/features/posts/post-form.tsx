// The form for a new post.

import { sendPost } from '../../api/blog.ts';
import { TextForm } from '../../components/text-form.tsx';
import { useSubmission } from '../../components/use-submission.ts';
import { useFeedStore } from '../../feed/feed-context.ts';

const FIELDS = [{ name: 'title', label: 'Title', subject: 'The title', limit: 200 }] as const;

export function PostForm() {
  const store = useFeedStore();
  const submission = useSubmission({
    form: 'post',
    fields: FIELDS,
    send: (texts, key, signal) => store.submit({ kind: 'post', texts }, () => sendPost(texts, key, signal)),
    announce: store.announce,
  });
  return <TextForm button="Post" primary submission={submission} />;
}
