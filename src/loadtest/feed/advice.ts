import { formatCount, formatMs } from '../../base/units.js';
import type { Advice, Bottleneck } from '../result.js';
import type { FeedLoadSettings } from './types.js';
import type { FeedJudged } from './verdict.js';

export interface FeedEvidence extends FeedJudged {
  readonly settings: FeedLoadSettings;
  readonly bottleneck: Bottleneck | null;
}

/** More than this many would not be read. */
const MOST = 3;

/** The next steps, most important first. */
export function adviseFeed(evidence: FeedEvidence): Advice[] {
  return [unconfirmed, silent, drops, clocks, busyServer, full, slowStart]
    .flatMap((rule) => rule(evidence) ?? [])
    .slice(0, MOST);
}

type Rule = (evidence: FeedEvidence) => Advice | null;

const unconfirmed: Rule = ({ subscribing, live }) => {
  const { asked, refused, refusals } = subscribing;
  const missing = asked - refused - live;
  const [first] = refusals;
  if (refused > 0 && first !== undefined) {
    return {
      text: `${counted(refused, 'symbol was', 'symbols were')} refused. Of '${first.symbol}' the feed says: ${first.reason}`,
      options: null,
    };
  }
  return missing <= 0
    ? null
    : {
        text: `${counted(missing, 'symbol was', 'symbols were')} not subscribed at the end. A longer run shows whether that lasts:`,
        options: '--duration 60s',
      };
};

const silent: Rule = ({ measurements: { ticks, symbolsSilent, symbolsHeard } }) => {
  if (ticks === 0) {
    return {
      text: 'No tick came. The market may be closed, or the feed confirms what it does not send.',
      options: '--duration 60s',
    };
  }
  if (symbolsSilent <= symbolsHeard) return null;
  return {
    text: `${counted(symbolsSilent, 'confirmed symbol', 'confirmed symbols')} had no tick at all in this time. Listen longer:`,
    options: '--duration 60s',
  };
};

const drops: Rule = ({ measurements: { lost, longestGapMs } }) => {
  const [top] = lost;
  if (top === undefined) return null;
  const gap = longestGapMs === null ? '' : ` Symbols were without ticks for up to ${formatMs(longestGapMs)}.`;
  return {
    text: `${counted(top.count, 'connection was', 'connections were')} lost: ${top.example}.${gap}`,
    options: null,
  };
};

const clocks: Rule = ({ measurements: { stamp } }) =>
  stamp === null || stamp.ahead <= stamp.stamped / 100
    ? null
    : {
        text:
          `${counted(stamp.ahead, 'tick', 'ticks')} came up to ${formatMs(stamp.mostAheadMs)} before the time on their stamp: ` +
          'the clocks of the two machines differ, and the latencies with them.',
        options: null,
      };

const busyServer: Rule = ({ measurements: { repeated }, server }) =>
  repeated === 0
    ? null
    : {
        text: `${counted(repeated, 'request', 'requests')} had to be sent again${server !== null && server.facts.tooFast > 0 ? ', since they came too fast' : ''}. Ask more slowly:`,
        options: '--batch-rate 2/s',
      };

const full: Rule = ({ bottleneck }) =>
  bottleneck?.limit !== 'client'
    ? null
    : {
        text: 'One process cannot take more ticks than this: share the symbols among several.',
        options: null,
      };

/** Longer than this to be ready is worth a word. */
const SLOW_START_MS = 5000;

const slowStart: Rule = ({ subscribing: { tookMs }, settings: { batchesPerSecond } }) =>
  tookMs === null || tookMs < SLOW_START_MS
    ? null
    : {
        text: `It took ${formatMs(tookMs)} until all symbols were confirmed. If the venue allows more than ${batchesPerSecond} requests a second:`,
        options: `--batch-rate ${batchesPerSecond * 2}/s`,
      };

function counted(count: number, one: string, many: string): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
