import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { IbRun, IbRunFigures, IbStressResult } from '../../src/lab/ib-stress/types.js';
import { formatsOf } from '../../src/report/registry.js';
import type { RenderOptions } from '../../src/report/render-options.js';
import { widthOf } from '../../src/report/text.js';
import { renderersOf } from '../helpers/reports.js';

const ibStressReports = await renderersOf('ibStress');

const PLAIN: RenderOptions = { color: false, unicode: true, width: 80, cwd: '/' };
const golden = (name: string) => join(import.meta.dirname, '../../fixtures/report/ib-stress', name);

const spread = { count: 3, p50: 1.2, p90: 3.4, p99: 5.6, max: 7.8 };
const FIGURES: IbRunFigures = {
  workerStart: spread,
  connect: { tcp: spread, handshake: spread, ready: spread },
  detectMs: 10_024,
  recoverMs: 82.5,
  attempts: { count: 4, peakSecond: 3, peak100ms: 3 },
  requests: { asked: 12, answered: 11, failed: 0, timedOut: 1, lost: 1, retried: 1, late: 2 },
  clientIds: { seen: [1, 2, 3], unique: true, collisions: 0 },
  pacing: {
    sent: 15,
    peakSecond: 45,
    gatewayPeakSecond: 46,
    headroom: 0.1,
    queueWait: spread,
    tooFast: 0,
    historyRefused: 0,
  },
  roundTrip: spread,
  loopLag: { p99: 1.5, max: 12.25 },
  rssBytes: 80_000_000,
  leftovers: { sockets: 0, subscriptions: 0, workers: 0 },
};
const PASSED: IbRun = {
  name: 'half-open',
  kind: 'scenario',
  title: 'a peer that neither reads nor writes any more',
  topology: 'shared',
  outcome: 'passed',
  why: null,
  broken: null,
  tookMs: 1030,
  repeats: [],
  stalledMs: 2,
  speed: 10,
  checks: [{ name: 'it is noticed', ok: true, detail: 'after 10024 ms' }],
  comparisons: [{ what: 'connections', gateway: 4, clientLeast: 4, clientMost: 4, ok: true }],
  figures: FIGURES,
};
const FAILED: IbRun = {
  ...PASSED,
  name: 'parallel',
  kind: 'test',
  topology: 'worker',
  outcome: 'failed',
  speed: 1,
  repeats: [{ stalledMs: 321, checks: [], comparisons: [] }],
  checks: [
    { name: 'all are answered', ok: false, detail: '29 of 30; <no> answer & more' },
    { name: 'every worker had an id of its own', ok: true, detail: '3 ids for 3 workers' },
  ],
  comparisons: [
    { what: 'currentTime sent', gateway: 29, clientLeast: 30, clientMost: 31, ok: false },
    { what: 'code 2104 told', gateway: 1, clientLeast: 2, clientMost: null, ok: false },
  ],
};
const SKIPPED: IbRun = {
  ...PASSED,
  name: 'auto-restart',
  outcome: 'skipped',
  why: 'it needs faults, orders or counts that a real gateway has not',
  checks: [],
  comparisons: null,
  figures: null,
};
const RESULT: IbStressResult = {
  schema: 1,
  kind: 'ib-stress',
  seed: 7,
  gateway: null,
  startedAt: '2026-01-05T16:00:00.000Z',
  elapsedMs: 4321,
  negativeControls: false,
  partial: false,
  runs: [FAILED, PASSED],
  baseline: {
    calls: 100,
    unpooledMs: 172,
    pooledMs: 29.1,
    saved: 0.831,
    unpooled: spread,
    pooled: spread,
  },
  passed: false,
};
const LIVE: IbStressResult = {
  ...RESULT,
  gateway: '127.0.0.1:7497',
  runs: [
    {
      ...PASSED,
      comparisons: null,
      figures: { ...FIGURES, leftovers: { sockets: null, subscriptions: null, workers: 0 } },
    },
    SKIPPED,
  ],
  passed: true,
  baseline: null,
};
const CONTROLS: IbStressResult = {
  ...RESULT,
  negativeControls: true,
  baseline: null,
  runs: [
    {
      ...FAILED,
      kind: 'scenario',
      name: 'message-pacing',
      topology: 'shared',
      broken: 'has its limiter off',
    },
    { ...PASSED, broken: 'never asks whether the gateway is still there' },
  ],
};

describe('the report of a stress test of broker connections', () => {
  it.each(formatsOf('ibStress'))('as %s is like its golden', async (format) => {
    await expect(ibStressReports[format](RESULT, PLAIN)).toMatchFileSnapshot(golden(`failed.${format}`));
  });

  it.each(['text', 'junit'] as const)('of a real gateway as %s says what was skipped', async (format) => {
    await expect(ibStressReports[format](LIVE, PLAIN)).toMatchFileSnapshot(golden(`live.${format}`));
  });

  it.each(['text', 'junit', 'markdown'] as const)(
    'of negative controls as %s tells how each was found out',
    async (format) => {
      await expect(ibStressReports[format](CONTROLS, PLAIN)).toMatchFileSnapshot(
        golden(`controls.${format}`),
      );
    },
  );

  it('of a run that was stopped has no verdict, unless something had failed by then', () => {
    const stopped: IbStressResult = { ...RESULT, partial: true, runs: [PASSED] };
    expect(ibStressReports.text(stopped, PLAIN)).toMatch(/\(interrupted\)\nSTOPPED: 1 of 1 runs/);
    expect(ibStressReports.text({ ...stopped, runs: [FAILED] }, PLAIN)).toContain('\nFAILED:');
    expect(ibStressReports.junit(stopped, PLAIN)).toContain('<failure message="the run was interrupted"/>');
    expect(ibStressReports.text({ ...stopped, runs: [] }, PLAIN)).toContain('STOPPED: 0 of 0 runs');
  });

  it.each([RESULT, LIVE, CONTROLS])('fits in 80 columns, in plain ASCII', (result) => {
    const text = ibStressReports.text(result, { ...PLAIN, unicode: false });
    expect(text).toMatch(/^[\n\x20-\x7e]*$/);
    expect(text.split('\n').filter((line) => widthOf(line) > 80)).toEqual([]);
  });

  it('is the same text with colour', () => {
    const coloured = ibStressReports.text(RESULT, { ...PLAIN, color: true });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what colours are
    expect(coloured.replace(/\u001b\[\d+m/g, '')).toBe(ibStressReports.text(RESULT, PLAIN));
    expect(coloured).toContain('\u001b[31m');
  });
});
