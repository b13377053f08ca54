import type { FeedLoadResult } from '../../loadtest/feed/types.js';
import { renderJson } from '../json.js';
import type { RenderOptions } from '../render-options.js';
import { renderText } from './text.js';

export type FeedLoadReport = (result: FeedLoadResult, options: RenderOptions) => string;

/** The formats of a load test of a feed; the first is the default. */
export const FEED_LOAD_FORMATS = ['text', 'json'] as const;
export type FeedLoadFormat = (typeof FEED_LOAD_FORMATS)[number];

export const feedLoadReports: Readonly<Record<FeedLoadFormat, FeedLoadReport>> = {
  text: renderText,
  json: renderJson,
};
