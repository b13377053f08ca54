import type { LoadResult } from '../../loadtest/result.js';
import { renderJson } from '../json.js';
import type { RenderOptions } from '../render-options.js';
import { renderCsv } from './csv.js';
import { renderHtml } from './html.js';
import { renderJunit } from './junit.js';
import { renderMarkdown } from './markdown.js';
import { renderText } from './text.js';

export type LoadReport = (result: LoadResult, options: RenderOptions) => string;

/** The formats of a load test's report; the first is the default. */
export const LOAD_FORMATS = ['text', 'json', 'markdown', 'html', 'junit', 'csv'] as const;
export type LoadFormat = (typeof LOAD_FORMATS)[number];

export const loadReports: Readonly<Record<LoadFormat, LoadReport>> = {
  text: renderText,
  json: renderJson,
  markdown: renderMarkdown,
  html: renderHtml,
  junit: renderJunit,
  csv: renderCsv,
};
