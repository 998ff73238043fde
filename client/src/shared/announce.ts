/** Texts go after this time, so that a screen reader does not meet old ones. */
const KEEP_MS = 10_000;

/**
 * Announces a text in the page's one live region (ARIA), an element of the App that React leaves empty: the reader's
 * submissions, their verdicts and the connection, never the posts of others.
 */
export function announce(text: string): void {
  const line = document.createElement('p');
  line.textContent = text;
  document.getElementById('announcements')?.append(line);
  setTimeout(() => line.remove(), KEEP_MS);
}
