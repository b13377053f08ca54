import type { SweepResult } from '../../loadtest/sweep.js';
import { renderJson } from '../json.js';
import type { RenderOptions } from '../render-options.js';
import { renderMarkdown } from './markdown.js';
import { renderText } from './text.js';

export type SweepReport = (result: SweepResult, options: RenderOptions) => string;

/** The formats of a sweep; the first is the default. */
export const SWEEP_FORMATS = ['text', 'json', 'markdown'] as const;
export type SweepFormat = (typeof SWEEP_FORMATS)[number];

export const sweepReports: Readonly<Record<SweepFormat, SweepReport>> = {
  text: renderText,
  json: renderJson,
  markdown: renderMarkdown,
};
