import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LoadResult } from '../../src/loadtest/result.js';
import type { RenderOptions } from '../../src/report/render-options.js';
import { findChromium } from '../helpers/chromium.js';
import { renderersOf } from '../helpers/reports.js';
import { fullResult, hostileResult } from './full-result.js';

const loadReports = await renderersOf('loadtest');

const PLAIN: RenderOptions = { color: false, unicode: true, width: 80, cwd: '/' };
const executablePath = findChromium('the HTML report in a browser');

it('has a key only to lines that a chart draws', () => {
  const full = fullResult();
  const { intervalMs, rows } = full.measurements.timeline;
  const timeline = { intervalMs, rows: rows.map((row) => ({ ...row, waitP99Ms: null })) };
  const without = { ...full, measurements: { ...full.measurements, timeline } };
  const keys = (result: LoadResult) =>
    /<figcaption>Response time(<.*?)<\/figcaption>/.exec(loadReports.html(result, PLAIN))?.[1];
  expect(keys(full)).toContain('p99 of waiting for the pool');
  expect(keys(without)).toContain('p99');
  expect(keys(without)).not.toContain('waiting');
});

describe.skipIf(executablePath === null)('the HTML report in a browser', () => {
  let browser: Browser;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolctl-html-'));
    browser = await chromium.launch({
      executablePath: executablePath ?? '',
      // Everything that a browser does by itself over the network is off.
      args: [
        ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
        ...['--disable-background-networking', '--disable-component-update'],
      ],
    });
  });
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true });
  });

  /** Opens the report; what it asked for and complained about is noted. */
  async function open(result: LoadResult, width: number): Promise<{ page: Page; noted: string[] }> {
    const file = join(folder, 'report.html');
    await writeFile(file, loadReports.html(result, PLAIN));
    const page = await browser.newPage({ viewport: { width, height: 900 } });
    const noted: string[] = [];
    page.on('request', (request) => noted.push(`asked for ${request.url()}`));
    page.on('console', (message) => noted.push(`said ${message.text()}`));
    page.on('pageerror', (error) => noted.push(`threw ${error.message}`));
    page.on('dialog', (dialog) => noted.push(`alerted ${dialog.message()}`));
    await page.goto(pathToFileURL(file).href);
    return { page, noted: noted.filter((note) => note !== `asked for ${pathToFileURL(file).href}`) };
  }

  it('asks for nothing else, and runs nothing', async () => {
    const { page, noted } = await open(hostileResult(), 1000);
    expect(noted).toEqual([]);
    expect(await page.locator('script, img, link, iframe').count()).toBe(0);
  });

  it('draws every chart, with lines and columns inside of it', async () => {
    const { page } = await open(fullResult(), 1000);
    expect(await page.locator('svg').count()).toBe(6);
    for (const svg of await page.locator('svg').all()) {
      const frame = await svg.boundingBox();
      expect(frame?.height).toBeGreaterThan(100);
      const marks = await svg.locator('path.line, rect.column').all();
      expect(marks.length).toBeGreaterThan(0);
      for (const mark of marks) {
        const box = await mark.boundingBox();
        expect(box?.x).toBeGreaterThanOrEqual(frame?.x ?? Number.NaN);
        expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(
          (frame?.y ?? 0) + (frame?.height ?? 0),
        );
      }
    }
  });

  it('shows the verdict, its reason and every section', async () => {
    const { page } = await open(fullResult(), 1000);
    expect(await page.locator('h1').textContent()).toBe('BAD');
    expect(await page.locator('h2').allTextContents()).toEqual([
      ...[
        'What was tested',
        'Response time',
        'Over time',
        'Steps',
        'Bursts',
        'Errors',
        'Criteria',
        'Connections',
        'Server',
      ],
      ...['What limited it', 'What to try next'],
    ]);
  });

  it.each([400, 1200])('needs no scrolling sideways at %d pixels', async (width) => {
    const { page } = await open(hostileResult(), width);
    const wide = await page.evaluate('document.documentElement.scrollWidth');
    expect(wide).toBeLessThanOrEqual(width);
  });
});
