import { gunzipSync, inflateRawSync, inflateSync } from 'node:zlib';
import { FeedError } from './errors.js';
import type { FeedVenue } from './venue.js';

const UNPACK = { gzip: gunzipSync, zlib: inflateSync, 'raw-deflate': inflateRawSync } as const;

/** Unpacks a binary message. Throws ERR_FEED_FRAME if it grows beyond the limit, and what zlib throws if it is broken. */
export function unpacked(data: Uint8Array, how: NonNullable<FeedVenue['unpack']>, most: number): Uint8Array {
  try {
    return UNPACK[how](data, { maxOutputLength: most });
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'ERR_BUFFER_TOO_LARGE') throw cause;
    throw new FeedError(
      'ERR_FEED_FRAME',
      `a message of ${data.byteLength} bytes unpacks to more than ${most}`,
      {
        cause,
        hint: 'raise messageBytes in the limits of the venue if it does send such messages',
      },
    );
  }
}
