import type { IbStressResult } from '../../lab/ib-stress/types.js';
import { renderJson } from '../json.js';
import type { RenderOptions } from '../render-options.js';
import { renderJunit } from './junit.js';
import { renderMarkdown } from './markdown.js';
import { renderText } from './text.js';

export type IbStressReport = (result: IbStressResult, options: RenderOptions) => string;

/** The formats of a stress test of broker connections; the first is the default. */
export const IB_STRESS_FORMATS = ['text', 'json', 'junit', 'markdown'] as const;
export type IbStressFormat = (typeof IB_STRESS_FORMATS)[number];

export const ibStressReports: Readonly<Record<IbStressFormat, IbStressReport>> = {
  text: renderText,
  json: renderJson,
  junit: renderJunit,
  markdown: renderMarkdown,
};
