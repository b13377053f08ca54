import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LoadResult } from '../../src/loadtest/result.js';
import { sweepResult } from '../../src/loadtest/sweep.js';
import type { RenderOptions } from '../../src/report/render-options.js';
import { widthOf } from '../../src/report/text.js';
import { renderersOf } from '../helpers/reports.js';
import { comparable } from '../loadtest/comparable.js';

const sweepReports = await renderersOf('sweep');

const PLAIN: RenderOptions = { color: false, unicode: true, width: 100, cwd: '/' };
const golden = (name: string) => join(import.meta.dirname, '../../fixtures/report/sweep', name);

const runsAt = (perSecond: number, waitMs: number): LoadResult[] =>
  [1, 2, 3].map((seed) => comparable({ perSecond: perSecond * (0.94 + 0.03 * seed), waitMs, seed }));

function sizes(maxOverflow: number) {
  const result = sweepResult(
    new Map([
      [{ poolSize: 2, maxOverflow }, runsAt(22_300, 2.8)],
      [{ poolSize: 4, maxOverflow }, runsAt(34_900, 1.4)],
      [{ poolSize: 16, maxOverflow }, runsAt(30_700, 0.9)],
      [{ poolSize: 64, maxOverflow }, runsAt(27_800, 0)],
    ]),
    maxOverflow !== 0,
  );
  if (result === null) throw new Error('nothing was measured');
  return result;
}

describe('the report of a sweep', () => {
  it('as text is like its golden', async () => {
    await expect(sweepReports.text(sizes(0), PLAIN)).toMatchFileSnapshot(golden('sizes.txt'));
  });

  it('shows the overflow where there is some, and does without Unicode', async () => {
    const text = sweepReports.text(sizes(10), { ...PLAIN, unicode: false });
    await expect(text).toMatchFileSnapshot(golden('overflow-ascii.txt'));
    expect(text).toMatch(/^[\n\x20-\x7e]*$/);
  });

  it.each(['json', 'markdown'] as const)('as %s is like its golden', async (format) => {
    await expect(sweepReports[format](sizes(0), PLAIN)).toMatchFileSnapshot(golden(`sizes.${format}`));
  });

  it.each([80, 100])('fits in %d columns', (width) => {
    const lines = sweepReports.text(sizes(10), { ...PLAIN, width }).split('\n');
    expect(lines.filter((line) => widthOf(line) > width)).toEqual([]);
  });
});
