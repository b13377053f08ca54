import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';

/** Words, which no minifier touches, of libraries whose pools are recognized only when they are loaded from a package. */
const MARKS: Readonly<Record<string, string>> = {
  'sequelize-pool': 'release called twice for the same resource: ',
};
/** Smaller than this no bundle with a driver in it is, and larger ones are not worth the time. */
const LEAST_BYTES = 20_000;
const MOST_BYTES = 50_000_000;

/**
 * A bundle has its own copies of the libraries, which no loader sees. Says so of a script that is one; null if nothing
 * was found in it.
 */
export function bundledIn(script: string): string | null {
  try {
    const { size } = statSync(script);
    if (size < LEAST_BYTES || size > MOST_BYTES) return null;
    const text = readFileSync(script, 'latin1');
    const found = Object.keys(MARKS).filter((name) => text.includes(MARKS[name] as string));
    if (found.length === 0) return null;
    return `${basename(script)} has ${found.join(' and ')} bundled into it, whose pools cannot be watched; leave it out of the bundle (external)`;
  } catch {
    return null;
  }
}
