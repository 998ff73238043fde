// Keys for writes: one for safe retry, and the trace derived from it.

/** A new random UUID. `crypto.randomUUID` exists only in secure origins and on localhost. */
export function createIdempotencyKey(): string {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/**
 * The `traceparent` of a write (W3C Trace Context §3.2). It is derived from the write's key, a UUID: each write has a
 * trace of its own, and a retry continues it, even after a reload. `01` means sampled.
 */
export function traceparentFor(key: string): string {
  const hex = key.replaceAll('-', '');
  return `00-${hex}-${hex.slice(-16)}-01`;
}
