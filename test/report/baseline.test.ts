import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { baselineResult } from '../../src/loadtest/baseline.js';
import type { RenderOptions } from '../../src/report/render-options.js';
import { widthOf } from '../../src/report/text.js';
import { renderersOf } from '../helpers/reports.js';
import { comparable } from '../loadtest/comparable.js';

const baselineReports = await renderersOf('baseline');

const PLAIN: RenderOptions = { color: false, unicode: true, width: 80, cwd: '/' };
const golden = (name: string) => join(import.meta.dirname, '../../fixtures/report/baseline', name);

const result = baselineResult(
  [1, 2, 3].map((seed) => [
    comparable({ perSecond: 9000, waitMs: 2, seed }),
    comparable({ perSecond: 400 * seed, waitMs: 20, meanMs: 60, seed }),
  ]),
  true,
);
if (result === null) throw new Error('nothing was measured');

describe('the report of a baseline', () => {
  it.each(['text', 'json', 'markdown'] as const)('as %s is like its golden', async (format) => {
    await expect(baselineReports[format](result, PLAIN)).toMatchFileSnapshot(golden(`pool.${format}`));
  });

  it('fits in 80 columns, and does without Unicode', () => {
    const text = baselineReports.text(result, { ...PLAIN, unicode: false });
    expect(text.split('\n').filter((line) => widthOf(line) > 80)).toEqual([]);
    expect(text).toMatch(/^[\n\x20-\x7e]*$/);
  });

  it('makes no ratio up', () => {
    expect(baselineReports.text({ ...result, ratio: null }, PLAIN)).toContain('there is no ratio');
  });
});
