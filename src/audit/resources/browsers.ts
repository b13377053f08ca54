import type { ResourceSpec } from '../types.js';

// Browsers, which are processes, and their pages.

export const browser: ResourceSpec = {
  id: 'browser',
  title: 'a browser of Puppeteer or Playwright',
  acquire: [
    {
      kind: 'method',
      name: 'launch',
      on: [
        'puppeteer#*',
        'puppeteer#',
        'puppeteer-core#*',
        'puppeteer-core#',
        'puppeteer-extra#*',
        'puppeteer-extra#',
        'playwright#*',
        'playwright-core#*',
        '@playwright/test#*',
      ],
      named: /^(puppeteer|chromium|firefox|webkit|browserType)$/,
      usedBy: /(close|newPage|newContext)\b/,
    },
    {
      kind: 'method',
      name: 'launchPersistentContext',
      on: ['playwright#*', 'playwright-core#*', '@playwright/test#*'],
      named: /^(chromium|firefox|webkit)$/,
    },
  ],
  repair: {
    acquire: ['launch', 'launchPersistentContext'],
    release: 'close',
    awaits: true,
    endsTransaction: true,
  },
  release: { methods: ['close', 'disconnect'], takes: [], ofParent: [] },
  protocol: [],
  docs: {
    why: 'A browser is a process of several hundred megabytes, which outlives the request that started it.',
    leaks: `import puppeteer from 'puppeteer';
export async function title(url: string) {
  const browser = await puppeteer.launch();
  const page = await browser.newPage();
  await page.goto(url);
  const text = await page.title();
  await browser.close();
  return text;
}`,
    fixed: `import puppeteer from 'puppeteer';
export async function title(url: string) {
  const browser = await puppeteer.launch();
  try {
    const page = await browser.newPage();
    await page.goto(url);
    const text = await page.title();
    return text;
  } finally {
    await browser.close();
  }
}`,
    exceptions: 'A browser that the whole process shares is no leak.',
  },
};

export const browserPage: ResourceSpec = {
  id: 'browser-page',
  title: 'a page or context of a browser',
  acquire: ['newPage', 'newContext', 'createBrowserContext', 'createIncognitoBrowserContext'].map((name) => ({
    kind: 'method',
    name,
    on: [
      'puppeteer#*',
      'puppeteer-core#*',
      'puppeteer-extra#*',
      'playwright#*',
      'playwright-core#*',
      '@playwright/test#*',
    ],
    named: /^(browser|context|browserContext)$/i,
    usedBy: /(close|goto|newPage|setContent)\b/,
    inFilesWith: 'browser',
  })),
  repair: { acquire: ['newPage', 'newContext'], release: 'close', awaits: true, endsTransaction: true },
  release: { methods: ['close'], takes: [], ofParent: ['close', 'disconnect'] },
  protocol: [],
  isPart: true,
  isLeftToCaller: true,
  docs: {
    why: 'A page of a shared browser keeps its renderer process until close().',
    leaks: `import puppeteer from 'puppeteer';
const browser = await puppeteer.launch();
export async function title(url: string) {
  const page = await browser.newPage();
  await page.goto(url);
  const text = await page.title();
  await page.close();
  return text;
}`,
    fixed: `import puppeteer from 'puppeteer';
const browser = await puppeteer.launch();
export async function title(url: string) {
  const page = await browser.newPage();
  try {
    await page.goto(url);
    const text = await page.title();
    return text;
  } finally {
    await page.close();
  }
}`,
    exceptions: 'Closing the browser closes its pages: a page of a browser that is a parameter is a note.',
  },
};
