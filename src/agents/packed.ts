import { gunzipSync, gzipSync } from 'node:zlib';

/** A result in the queue may be this large when unpacked; those of a day have a few MB. */
const MOST_BYTES = 64 * 1024 * 1024;

/** Text for the queue. */
export function pack(text: string): string {
  return gzipSync(text).toString('base64');
}

/** Throws an Error for what is no packed text, and for one that is too large. */
export function unpack(packed: string): string {
  return gunzipSync(Buffer.from(packed, 'base64'), { maxOutputLength: MOST_BYTES }).toString('utf8');
}
