// Shifts the clock of a process into which it is loaded (--import), by the milliseconds in the file named by
// CLOCK_SHIFT. Wall-clock time changes as with the system's clock; monotonic time does not.
import crypto from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const RealDate = Date;
const file = process.env.CLOCK_SHIFT as string;
let shift = 0;

/** Writes a file with the process's id to confirm the shift it follows. */
function look(): void {
  const wanted = Number(readFileSync(file, 'utf8'));
  if (wanted === shift) return;
  shift = wanted;
  writeFileSync(`${file}-${process.pid}`, String(shift));
}
look();
setInterval(look, 20).unref();

globalThis.Date = class extends RealDate {
  // biome-ignore lint/suspicious/noExplicitAny: whatever Date takes
  constructor(...values: any[]) {
    if (values.length === 0) super(RealDate.now() + shift);
    else super(...(values as [number]));
  }
  static override now(): number {
    return RealDate.now() + shift;
  }
} as DateConstructor;

// These ids begin with the time (RFC 9562 §5.7), so after a jump back they sort before older ones.
const randomUUIDv7 = crypto.randomUUIDv7;
crypto.randomUUIDv7 = (options) => {
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}${randomUUIDv7(options).slice(13)}` as ReturnType<typeof randomUUIDv7>;
};
syncBuiltinESMExports();
