import type { BaselineResult } from '../../loadtest/baseline.js';
import { renderJson } from '../json.js';
import type { RenderOptions } from '../render-options.js';
import type { SweepFormat } from '../sweep/index.js';
import { renderMarkdown } from './markdown.js';
import { renderText } from './text.js';

export type BaselineReport = (result: BaselineResult, options: RenderOptions) => string;

/** What is made of many runs has the same formats. */
export const baselineReports: Readonly<Record<SweepFormat, BaselineReport>> = {
  text: renderText,
  json: renderJson,
  markdown: renderMarkdown,
};
