import { parseQueue, QUEUE_FORMS } from '../src/agents/open-queue.js';
import { maskUrl } from '../src/base/secrets.js';
import { parseCount, ValueError } from '../src/base/units.js';
import { value } from '../src/cli/options.js';
import { choice, count, duration, share, text, type ValueType } from '../src/cli/value-types.js';
import type { Segment } from '../src/loadtest/api.js';
import { SCHEDULER_NAMES } from '../src/schedulers/manifest.js';
import { LOADED, MODELED, on } from './loadtest-scope.js';

export const DAY_MS = 86_400_000;

const MOST_SEGMENTS = 10_000;
const MOST_PROCESSES = 256;
const MOST_AGENTS = 1000;

/** A segment by its numbers, or to be read from the environment; `count` is then null if the scheduler tells it. */
export type GivenSegment = Segment | { readonly index: 'auto'; readonly count: number | null };

const queueType: ValueType<string> = { placeholder: 'QUEUE', parse: parseQueue, show: maskUrl };

const segmentType: ValueType<GivenSegment> = {
  placeholder: 'I/N',
  parse(source) {
    const [, isAuto, ofAuto] = /^(auto)(?:\/(\d+))?$/.exec(source.trim()) ?? [];
    if (isAuto !== undefined) {
      const count = ofAuto === undefined ? null : Number(ofAuto);
      if (count !== null && (count < 1 || count > MOST_SEGMENTS))
        throw new ValueError(`'${source}' has ${count} segments; 1 to ${MOST_SEGMENTS} are possible`);
      return { index: 'auto', count };
    }
    const [, index, count] = /^(\d+)\/(\d+)$/.exec(source.trim()) ?? [];
    if (index === undefined || count === undefined)
      throw new ValueError(`'${source}' is not like 1/4, the first of four segments, or auto`);
    const segment = { index: Number(index), count: Number(count) };
    if (segment.count < 1 || segment.count > MOST_SEGMENTS)
      throw new ValueError(`'${source}' has ${count} segments; 1 to ${MOST_SEGMENTS} are possible`);
    if (segment.index < 1 || segment.index > segment.count)
      throw new ValueError(`'${source}' is no segment: the first is 1/${count}, the last ${count}/${count}`);
    return segment;
  },
  show: ({ index, count }) => (count === null ? String(index) : `${index}/${count}`),
};

const processesType: ValueType<number | 'auto'> = {
  placeholder: 'N|auto',
  parse: (source) =>
    source.trim() === 'auto' ? 'auto' : parseCount(source, { least: 1, most: MOST_PROCESSES }),
  show: String,
};

/** A moment. A time of day is the nearest such time, so that a segment that comes late notices it. */
export const timeType: ValueType<(nowMs: number) => number> = {
  placeholder: 'HH:MM:SSZ',
  parse(source) {
    const given = source.trim();
    if (/^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:?\d\d)$/.test(given) && !Number.isNaN(Date.parse(given))) {
      return shown(given, () => Date.parse(given));
    }
    const [, hour, minute, second = '0'] = /^(\d\d):(\d\d)(?::(\d\d(?:\.\d+)?))?Z$/.exec(given) ?? [];
    const inDayMs = Number(hour) * 3_600_000 + Number(minute) * 60_000 + Number(second) * 1000;
    if (hour === undefined || Number(hour) > 23 || Number(minute) > 59 || Number(second) >= 60) {
      throw new ValueError(
        `'${source}' is no time with a time zone, such as 12:30:00Z or 2026-05-01T12:30:00+02:00`,
      );
    }
    return shown(given, (nowMs) => {
      const dayMs = Math.floor(nowMs / DAY_MS) * DAY_MS;
      return Math.round((nowMs - dayMs - inDayMs) / DAY_MS) * DAY_MS + dayMs + inDayMs;
    });
  },
  show: (time) => timeText(time),
};

/** The text that a time was read from. */
export function timeText(time: (nowMs: number) => number): string {
  return shownTimes.get(time) ?? '';
}

/** The texts that times were read from. */
const shownTimes = new WeakMap<(nowMs: number) => number, string>();

function shown(source: string, time: (nowMs: number) => number) {
  shownTimes.set(time, source);
  return time;
}

export const segmentOptions = {
  processes: value({
    summary: 'run the load in N processes; auto: one for each core',
    type: processesType,
    default: 1 as number | 'auto',
    group: 'Segments',
    config: false,
    appliesTo: on({ target: LOADED, engine: MODELED }),
  }),
  segment: value({
    summary: 'run part I of N of the load (auto: as the scheduler says); see poolctl merge',
    type: segmentType,
    default: null,
    group: 'Segments',
    config: false,
    appliesTo: on({ target: LOADED, engine: MODELED }),
  }),
  startAt: value({
    summary: 'start all segments at this time: 12:30:00Z',
    type: timeType,
    default: null,
    defaultText: 'as soon as warm',
    advanced: true,
    group: 'Segments',
    config: false,
    appliesTo: on({ target: LOADED, engine: MODELED }),
  }),
  runId: value({
    summary: 'name of the run, the same for all its segments',
    type: text(),
    default: null,
    advanced: true,
    defaultText: 'made from the options',
    group: 'Segments',
    config: false,
    appliesTo: on({ target: LOADED, engine: MODELED }),
  }),
  agents: value({
    summary: 'run the load on N agents, which wait at --queue',
    type: count({ least: 1, most: MOST_AGENTS }),
    default: null,
    group: 'Segments',
    config: false,
    appliesTo: on({ target: LOADED, engine: MODELED }),
  }),
  queue: value({
    summary: `where agents wait: ${QUEUE_FORMS}`,
    type: queueType,
    default: null,
    env: 'POOLCTL_QUEUE',
    group: 'Segments',
    config: false,
    appliesTo: on({ target: LOADED, engine: MODELED }),
  }),
  agentsTimeout: value({
    summary: 'maximum wait for agents',
    type: duration({ leastMs: 1000, mostMs: DAY_MS }),
    default: 60_000,
    advanced: true,
    group: 'Segments',
    config: false,
    appliesTo: on({ target: LOADED, engine: MODELED }),
  }),
  abortErrors: value({
    summary: '--agents: stop all when more than this share of iterations fails',
    type: share({ most: 1 }),
    default: null,
    group: 'Segments',
    config: false,
    appliesTo: on({ target: LOADED, engine: MODELED }),
  }),
  emit: value({
    summary: 'print a manifest that runs the segments: kubernetes, slurm, github, parallel',
    type: choice(SCHEDULER_NAMES),
    default: null,
    group: 'Segments',
    config: false,
    appliesTo: on({ target: LOADED, engine: MODELED }),
  }),
  image: value({
    summary: '--emit kubernetes: container image with poolctl',
    type: text(),
    default: null,
    defaultText: 'poolctl:VERSION',
    advanced: true,
    group: 'Segments',
    config: false,
    appliesTo: on({ target: LOADED, engine: MODELED }),
  }),
};
