import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeRecording } from '../../src/leases/decoder.js';
import type { RenderOptions } from '../../src/report/render-options.js';
import { sizeRecordings } from '../../src/sizing/size.js';
import { leaseRecording } from '../helpers/lease-recordings.js';
import { renderersOf } from '../helpers/reports.js';

const reports = await renderersOf('size');
const PLAIN: RenderOptions = { color: false, unicode: true, width: 100, cwd: '/srv/shop' };
const golden = (name: string) => join(import.meta.dirname, '../../fixtures/report/size', name);

const file = 'leases.rec';
const recording = decodeRecording(leaseRecording({ leaks: 2, seconds: 12 }), file);
const { result } = sizeRecordings([{ file, recording }], {
  ...{ targetMs: 10, growth: 1, sizes: [], instances: 8, maxConnections: 100 },
  ...{ reserved: 3, pgbouncerPoolSize: null },
});

describe('the report of a pool size', () => {
  it.each(['text', 'markdown', 'html', 'csv'] as const)('as %s is like its golden', async (format) => {
    const name = { text: 'size.txt', markdown: 'size.md', html: 'size.html', csv: 'size.csv' }[format];
    await expect(reports[format](result, PLAIN)).toMatchFileSnapshot(golden(name));
  });

  it('escapes the names of others', () => {
    const [pool] = result.pools;
    if (pool === undefined) throw new Error('there is no pool');
    const hostile = { ...result, pools: [{ ...pool, name: 'a<script>|`\u001b[2J' }] };
    expect(reports.html(hostile, PLAIN)).not.toContain('<script>');
    expect(reports.text(hostile, PLAIN)).not.toContain('\u001b');
    expect(reports.markdown(hostile, PLAIN)).toContain('a&lt;script\\>\\|');
  });
});
