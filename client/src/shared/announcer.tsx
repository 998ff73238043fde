/** Texts go after this time, so that a screen reader does not meet old ones. */
const KEEP_MS = 10_000;

/**
 * Creates the page's one live region (ARIA) and the function that announces a text in it: the reader's submissions, their
 * verdicts and the connection, never the posts of others.
 */
export function createAnnouncer() {
  let region: HTMLElement | null = null;

  function announce(text: string) {
    const line = document.createElement('p');
    line.textContent = text;
    region?.append(line);
    setTimeout(() => line.remove(), KEEP_MS);
  }

  /** React leaves its children alone. */
  function LiveRegion() {
    const take = (element: HTMLElement | null) => {
      region = element;
    };
    return <div ref={take} role="status" aria-live="polite" aria-atomic="false" className="visually-hidden" />;
  }

  return { announce, LiveRegion };
}
