import { hash } from 'node:crypto';

/** The checksum of a record: SHA-256, its first 32 hex digits, over the checksum before it and the record's text. */
export const chain = (before: string, record: string): string => hash('sha256', before + record, 'hex').slice(0, 32);
