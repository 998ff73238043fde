/** A fresh UUID. Only secure origins and localhost have crypto.randomUUID. */
export function createIdempotencyKey(): string {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/**
 * Where the trace of a write begins (W3C Trace Context §3.2). It is made of the write's key, a UUID, so that each write has
 * one of its own, and has it again when it is sent again, also after a reload. `01`: it is to be recorded.
 */
export function traceparentFor(key: string): string {
  const hex = key.replaceAll('-', '');
  return `00-${hex}-${hex.slice(-16)}-01`;
}
