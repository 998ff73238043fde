// The errors in the output of a graded program: the few lines that say most, the same in two runs.

/** The most lines that are shown, and the longest one. */
const MOST = 3;
const LONGEST = 200;

/** Times, ports, process ids and random ids. */
const CHANGING = /\b\d{1,2}:\d\d(:\d\d)?([.,]\d+)?\b|\b[0-9a-f]*\d[0-9a-f]{7,}\b|\b\d{4,}\b/g;
/** Lines of a stack, rulers, and the access log of an HTTP server. */
const NOISE = /^\s|^[^\p{L}]*$|^Traceback|^goroutine |^Node\.js v|HTTP\/1\.\d" \d/u;
const ERROR = /error|exception|panic|fatal|fail/i;

/** The last different errors in these lines; if no line looks like an error, the last lines. */
export function errorsIn(lines: string[]): string[] {
  const told = lines.filter((line) => !NOISE.test(line)).map((line) => line.replace(CHANGING, '…').slice(0, LONGEST));
  const errors = told.filter((line) => ERROR.test(line));
  return [...new Set(errors.length > 0 ? errors : told)].slice(-MOST);
}
