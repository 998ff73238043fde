import { useState } from 'react';
import { useSystemStore } from '../system-context.ts';

/**
 * Copies a text to the clipboard, which exists only in secure origins and on localhost; elsewhere there is no button.
 */
export function CopyButton({ text }: { text: string }) {
  const { announce } = useSystemStore();
  const [copied, setCopied] = useState<string>();
  if (!navigator.clipboard) return null;
  async function copy() {
    const done = await navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
    setCopied(done ? text : undefined);
    announce(done ? 'Copied.' : 'It could not be copied.');
  }
  return (
    <button type="button" onClick={copy}>
      {copied === text ? 'Copied' : 'Copy'}
    </button>
  );
}
