import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compareRuns } from '../../src/loadtest/compare.js';
import type { LoadResult } from '../../src/loadtest/result.js';
import type { RenderOptions } from '../../src/report/render-options.js';
import { widthOf } from '../../src/report/text.js';
import { renderersOf } from '../helpers/reports.js';
import { comparable } from '../loadtest/comparable.js';

const compareReports = await renderersOf('compare');

const PLAIN: RenderOptions = { color: false, unicode: true, width: 80, cwd: '/' };
const golden = (name: string) => join(import.meta.dirname, '../../fixtures/report/compare', name);

const before = comparable({ seed: 1 });
const worse = resized(comparable({ perSecond: 600, p99Ms: 90, waitMs: 6, failedShare: 0.01, seed: 2 }));
const regressed = compareRuns(before, worse);

function resized(result: LoadResult): LoadResult {
  return {
    ...result,
    partial: 'interrupted',
    pool: { ...result.pool, options: { ...result.pool.options, size: 2 } },
  };
}

describe('the report of a comparison', () => {
  it.each([
    ['worse.txt', regressed],
    ['same.txt', compareRuns(before, comparable({ seed: 3 }))],
    ['too-short.txt', compareRuns(comparable({ stretches: 2 }), comparable({ stretches: 2, seed: 2 }))],
  ])('as text is like %s', async (name, comparison) => {
    await expect(compareReports.text(comparison, PLAIN)).toMatchFileSnapshot(golden(name));
  });

  it.each(['json', 'markdown'] as const)('as %s is like its golden', async (format) => {
    await expect(compareReports[format](regressed, PLAIN)).toMatchFileSnapshot(golden(`worse.${format}`));
  });

  it('fits in 80 columns', () => {
    const lines = compareReports.text(regressed, PLAIN).split('\n');
    expect(lines.filter((line) => widthOf(line) > 80)).toEqual([]);
  });

  it('shows nothing of a hostile file as it is', () => {
    const target = 'a | b\n`c` \u001b[31m<script>';
    const hostile = { ...before, workload: { ...before.workload, target } };
    const comparison = compareRuns(before, hostile);
    expect(compareReports.text(comparison, PLAIN)).not.toContain('\u001b');
    expect(compareReports.markdown(comparison, PLAIN)).toContain('a \\| b \\`c\\` &lt;script\\>');
  });
});
