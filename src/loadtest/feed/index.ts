/// <reference lib="esnext.disposable" preserve="true" />
/** The library door of load tests of feeds: `import { runFeedLoad } from 'poolctl/loadtest/feed'`. */
export { type FeedLoadOptions, type FeedLoadProgress, runFeedLoad } from './feed-load.js';
export { type FeedThreshold, parseFeedThreshold } from './thresholds.js';
export type * from './types.js';
export type { FeedJudged } from './verdict.js';
