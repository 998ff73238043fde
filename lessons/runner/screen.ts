// The lesson's lines on a terminal, with a progress line that is written again and again; without a terminal plain lines.
import type { Outcome } from './run.ts';

export const textOf = ({ sent, shown, twice, pending, changed }: Outcome, countsChanged = false) =>
  `sent ${sent} · shown ${shown} · twice ${twice} · pending ${pending}${countsChanged ? ` · changed ${changed}` : ''}`;

/** `stream`: standard output. */
export function createScreen(stream: NodeJS.WriteStream) {
  const clear = stream.isTTY ? '\r\x1b[2K' : '';

  return {
    /** Prints a line, which stays. */
    line: (text = '') => void stream.write(`${clear}${text}\n`),
    /** Shows the progress line; on a terminal only. */
    progress(text: string): void {
      if (stream.isTTY) stream.write(`${clear}${text.slice(0, (stream.columns || 80) - 1)}`);
    },
    isLive: stream.isTTY === true,
  };
}
