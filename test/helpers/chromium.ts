import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where a Chromium is; null where there is none, which is told, or a failure where all parts must be there. */
export function findChromium(untested: string): string | null {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const found = ['chromium', 'chromium-browser', 'google-chrome']
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((file) => existsSync(file));
  if (found !== undefined) return found;
  if (process.env.POOLCTL_REQUIRE_SERVICES === '1') throw new Error('chromium is not installed');
  process.stderr.write(`not tested: ${untested} (chromium is not installed)\n`);
  return null;
}
