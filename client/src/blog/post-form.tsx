// The form for a new post.

import { useFeedStore } from './feed-context.ts';
import { sendPost } from './requests.ts';
import { TextForm } from './text-form.tsx';
import { useSubmission } from './use-submission.ts';

const FIELDS = [{ name: 'title', label: 'Title', subject: 'The title', limit: 200 }] as const;

export function PostForm() {
  const store = useFeedStore();
  const submission = useSubmission({
    form: 'post',
    fields: FIELDS,
    send: (texts, key, signal) => store.submit({ kind: 'post', texts }, () => sendPost(texts, key, signal)),
  });
  return <TextForm button="Post" primary submission={submission} />;
}
