import type { Comparison } from '../../loadtest/compare.js';
import { renderJson } from '../json.js';
import type { RenderOptions } from '../render-options.js';
import { renderMarkdown } from './markdown.js';
import { renderText } from './text.js';

export type CompareReport = (comparison: Comparison, options: RenderOptions) => string;

/** The formats of a comparison; the first is the default. */
export const COMPARE_FORMATS = ['text', 'json', 'markdown'] as const;
export type CompareFormat = (typeof COMPARE_FORMATS)[number];

export const compareReports: Readonly<Record<CompareFormat, CompareReport>> = {
  text: renderText,
  json: renderJson,
  markdown: renderMarkdown,
};
