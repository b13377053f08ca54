import type { StressResult } from '../../lab/ws-stress/types.js';
import { renderJson } from '../json.js';
import type { RenderOptions } from '../render-options.js';
import { renderText } from './text.js';

export type StressReport = (result: StressResult, options: RenderOptions) => string;

/** The formats of a stress test of feeds; the first is the default. */
export const WS_STRESS_FORMATS = ['text', 'json'] as const;
export type WsStressFormat = (typeof WS_STRESS_FORMATS)[number];

export const wsStressReports: Readonly<Record<WsStressFormat, StressReport>> = {
  text: renderText,
  json: renderJson,
};
