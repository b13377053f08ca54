import type { HealthReport } from '../../health/check.js';
import { renderJson } from '../json.js';
import type { RenderOptions } from '../render-options.js';
import { renderLines, renderText } from './text.js';

export const HEALTH_FORMATS = ['text', 'json'] as const;
export type HealthFormat = (typeof HEALTH_FORMATS)[number];

type Report = (report: HealthReport, options: RenderOptions) => string;

export const healthReports: Readonly<Record<HealthFormat, Report>> = { text: renderText, json: renderJson };

/** The same in one line, or one a pool, for what is said again and again. */
export const healthLines: Readonly<Record<HealthFormat, Report>> = {
  text: renderLines,
  json: (report) => `${JSON.stringify(report)}\n`,
};
