import { formatCount, formatMs, formatShare } from '../base/units.js';
import { isCrowded, isDisturbed, isOthers } from './bottleneck.js';
import { tooManyConnections } from './connection-limits.js';
import { isPoolTimeout } from './failures.js';
import type { Advice, LoadResult, ModelInfo } from './result.js';
import { endingWords } from './verdict.js';

/** The parts of a result that advice is drawn from. */
export interface Evidence
  extends Pick<
    LoadResult,
    'measurements' | 'model' | 'pool' | 'http' | 'server' | 'client' | 'verdict' | 'partial'
  > {
  readonly workload: { readonly inProcess: boolean };
  /** Pools of these options that the load had, one for each segment. Default 1. */
  readonly pools?: number;
}

/** More than this many would not be read. */
const MOST = 3;

/** Advice on what to do next, most important first. */
export function advise(evidence: Evidence): Advice[] {
  const rules = [
    silent,
    failures,
    disturbed,
    moreProcesses,
    beyondLimits,
    queued,
    locked,
    openTransactions,
    waits,
    rising,
    churn,
    oversized,
    tooFew,
    harder,
  ];
  if (evidence.measurements.silentFromMs !== null)
    return [silent, failures].flatMap((rule) => rule(evidence) ?? []);
  return rules.flatMap((rule) => rule(evidence) ?? []).slice(0, MOST);
}

type Rule = (evidence: Evidence) => Advice | null;

/** A server that is gone comes before anything about the load: figures of the pool are those of waiting for it. */
const silent: Rule = ({ measurements }) => {
  const ending = endingWords(measurements);
  if (ending === null) return null;
  return measurements.silentFromMs === null
    ? { text: `${ending} If they may take that long, wait longer:`, options: '--drain-timeout 60s' }
    : {
        text: `${ending} Look at the server and the network first: is the process running, stopped, or cut off?`,
        options: null,
      };
};

/** Faults of the work itself come before anything about the pool. */
const failures: Rule = ({ measurements }) => {
  const [top] = measurements.errors.filter(({ code }) => !isPoolTimeout(code));
  if (top === undefined) return null;
  if (top.code === 'ERR_HTTP_CIRCUIT_OPEN') {
    return {
      text:
        `${formatCount(top.count)} requests were not sent, since half of those before had failed and the circuit breaker ` +
        'was open. To see what the server says:',
      options: '--no-breaker',
    };
  }
  const times = `${formatCount(top.count)} ${top.count === 1 ? 'iteration' : 'iterations'} failed with ${top.code}`;
  if (top.code.startsWith('SQLITE_BUSY')) {
    return {
      text: `${times}: writers wait for each other. Begin what writes with BEGIN IMMEDIATE, and keep it short.`,
      options: null,
    };
  }
  return { text: `${times}: find out why first. The first one said: ${top.example}`, options: null };
};

const disturbed: Rule = (evidence) =>
  isDisturbed(evidence)
    ? {
        text:
          `Other programs used ${evidence.client.otherCores?.toFixed(1)} cores of this machine during the run. ` +
          'Repeat it when the machine is quiet, before you conclude anything.',
        options: null,
      }
    : null;

/** One event loop is full, and other cores are free for more of them. */
const moreProcesses: Rule = ({ client, http, pools = 1 }) => {
  const { bottleneck, cores } = client;
  if (bottleneck?.limit !== 'client' || pools > 1 || cores === null || cores < 2) return null;
  if (http?.engine === 'autocannon') return null;
  return {
    text: `poolctl's one event loop was full, and this machine has ${formatCount(cores)} cores. Use more of them:`,
    options: '--processes auto',
  };
};

/** More than the server has: under full load some could not have been opened. */
const beyondLimits: Rule = ({ pool, server, pools = 1 }) => {
  const why = server && tooManyConnections(pool.options, server, pools);
  if (server === null || why === null) return null;
  const left = server.pgbouncer === null ? Math.floor((server.connections?.left ?? 0) / pools) : null;
  return {
    text: `${why.charAt(0).toUpperCase()}${why.slice(1)}. What cannot be opened fails, or waits for what is there.`,
    options: left ? `--pool-size ${left} --max-overflow 0` : null,
  };
};

/** The most connections that the target can serve for each pool; without limit where that is not known. */
function leftFor({ server, pools = 1 }: Evidence): number {
  const clients = server?.pgbouncer?.clients;
  const left = clients
    ? clients.most - clients.used
    : (server?.connections?.left ?? Number.POSITIVE_INFINITY);
  return Math.floor(left / pools);
}

/** From this share of the time of being served on, waiting in the pooler is what it was. */
const QUEUED_LONG = 0.25;

const queued: Rule = ({ server, measurements }) => {
  const { waitMeanMs = null, poolSize = null, waiting } = server?.pgbouncer ?? {};
  const serviceMs = measurements.service.meanMs;
  if (waitMeanMs === null || serviceMs === null || waitMeanMs < QUEUED_LONG * serviceMs) return null;
  const most = waiting === undefined ? '' : `, up to ${formatCount(waiting.most)} of them at once`;
  return {
    text:
      `Transactions waited ${formatMs(waitMeanMs)} in PgBouncer for one of its ${formatCount(poolSize)} server ` +
      `connections${most}. A larger pool here only moves that queue; a larger default_pool_size may shorten it.`,
    options: null,
  };
};

/** From this share on what backends wait for is what they do. */
const MUCH = 0.25;

const locked: Rule = ({ server }) => {
  const locks = (server?.backends?.waits ?? []).filter(({ event }) => event?.startsWith('Lock:'));
  const share = locks.reduce((sum, each) => sum + each.share, 0);
  if (share < MUCH) return null;
  return {
    text:
      `Active backends waited for locks of others ${formatShare(share, 0)} of the time (${locks[0]?.event}). ` +
      'More connections would only wait with them: shorten what holds the lock.',
    options: null,
  };
};

const openTransactions: Rule = ({ server }) => {
  const states = server?.backends?.states ?? [];
  const all = states.reduce((sum, { mean }) => sum + mean, 0);
  const open = states.reduce((sum, { state, mean }) => sum + (/transaction/.test(state) ? mean : 0), 0);
  if (all === 0 || open < MUCH * all) return null;
  return {
    text:
      `${open.toFixed(1)} of ${all.toFixed(1)} backends stood idle in an open transaction, on average. ` +
      'What happens between two statements holds a connection, and its locks: do it before or after.',
    options: null,
  };
};

const waits: Rule = (evidence) => {
  const { measurements, pool, client, model, http } = evidence;
  // There more connections would be no help, or cannot be had.
  if ([queued, locked, beyondLimits].some((rule) => rule(evidence) !== null)) return null;
  const waitMs = measurements.wait.meanMs;
  const serviceMs = measurements.service.meanMs;
  const timeouts = pool.figures?.timedOut ?? 0;
  if ((!isCrowded(evidence) || isOthers(evidence)) && timeouts === 0) return null;
  const { size, maxOverflow } = pool.options;
  const lead =
    waitMs === null || serviceMs === null
      ? `${formatCount(timeouts)} acquires timed out`
      : `Iterations wait ${formatMs(waitMs)} for a connection and are then served for ${formatMs(serviceMs)}`;
  switch (client.bottleneck?.limit) {
    case 'client':
      return {
        text: `${lead}. A larger pool would not help while poolctl's own event loop is full; less at once would.`,
        options: loadOptions(model, 0.5),
      };
    case 'processor': {
      const few = Math.max(2, (client.cores ?? 1) * 2);
      const isLarger = maxOverflow < 0 || size + maxOverflow > few;
      return {
        text: `${lead}. The processor is full: connections beyond about twice the cores only take turns.`,
        options: !isLarger
          ? null
          : http === null
            ? `--pool-size ${few} --max-overflow 0`
            : `--pool-size ${few}`,
      };
    }
    case 'pool':
    case 'target':
    case undefined: {
      const more = Math.max(size + Math.max(0, maxOverflow), size * 2);
      // Overflow is as good as before, and takes from what is left too.
      const left = leftFor(evidence) - Math.max(0, maxOverflow);
      return {
        text: `${lead}. More connections would shorten the wait, if the target can serve them side by side.`,
        options: left <= size ? null : `--pool-size ${Math.min(more, left)}`,
      };
    }
  }
};

const rising: Rule = ({ verdict, model }) =>
  verdict.criteria.some(({ id, band }) => id === 'wait-trend' && band === 'bad')
    ? {
        text: 'Waits rose over the run: connections that do not come back, or a target that gets slower. Look longer:',
        options: model.kind === 'burst' ? '--num-bursts 30' : '--duration 60s',
      }
    : null;

/** Overflow is opened and closed again and again. */
const churn: Rule = ({ pool, pools = 1 }) => {
  const { figures, options } = pool;
  if (figures === null || figures.peakOverflow === null || figures.peakOverflow === 0) return null;
  const { destroyed, recycled, invalidated, pingFailed } = figures;
  const surplus = (destroyed ?? 0) - (recycled ?? 0) - (invalidated ?? 0) - (pingFailed ?? 0);
  if (surplus <= 2 * figures.peakOverflow * pools) return null;
  return {
    text: `${formatCount(surplus)} connections beyond the pool size were closed on return, and others opened. Keep them:`,
    options: `--pool-size ${options.size + figures.peakOverflow}`,
  };
};

const oversized: Rule = ({ pool, partial }) => {
  const { figures, options } = pool;
  if (figures === null || partial !== null || !figures.acquired || figures.peakInUse === null) return null;
  if (figures.peakInUse > options.size / 2) return null;
  return {
    text: `At most ${figures.peakInUse} of ${options.size} connections were in use at once; for this load so many are enough:`,
    options: `--pool-size ${Math.max(1, figures.peakInUse)}`,
  };
};

const tooFew: Rule = ({ measurements, model, partial }) => {
  const { count } = measurements.response;
  if (count === 0 || count >= 1000 || partial !== null) return null;
  return {
    text: `The p99 rests on the slowest ${Math.max(1, Math.round(count / 100))} of ${formatCount(count)} iterations. Measure longer:`,
    options: model.kind === 'burst' ? `--num-bursts ${Math.ceil(1000 / model.size)}` : '--duration 10s',
  };
};

const harder: Rule = ({ verdict, model, client, partial, measurements }) => {
  if (verdict.band !== 'good' || partial !== null || client.bottleneck?.limit === 'client') return null;
  if (model.kind === 'ramp') return rampAdvice(measurements.stages);
  return {
    text: 'The pool held. Raise the load until it does not:',
    options: loadOptions(model, 2),
  };
};

/** Options for the same load, but so many times as much of it; null where it goes up by itself. */
function loadOptions(model: ModelInfo, times: number): string | null {
  const scaled = (value: number) => Math.max(1, Math.floor(value * times));
  switch (model.kind) {
    case 'closed':
      return `--num-workers ${scaled(model.workers)}`;
    case 'burst':
      return `--burst-size ${scaled(model.size)}`;
    case 'rate':
      return `--rate ${scaled(model.perSecond)}/s`;
    case 'ramp':
      return null;
  }
}

/** A ramp that broke has told what there was to tell. */
function rampAdvice(stages: Evidence['measurements']['stages']): Advice | null {
  const last = stages?.at(-1);
  if (last === undefined || last.held !== true) return null;
  return { text: 'Nothing broke. Go on rising:', options: `--rate-to ${last.targetPerSecond * 4}/s` };
}
