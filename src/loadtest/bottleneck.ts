import { formatCount, formatMs, formatShare } from '../base/units.js';
import type { Bottleneck, ClientFigures, LoadResult } from './result.js';

/** From here on an event loop is full: whatever is added waits in it. */
const LOOP_FULL = 0.9;
/** From here on the cores are. */
const CORES_FULL = 0.9;
/** Less than this by other programs is the murmur of any machine. */
const OTHERS_NOTICEABLE = 0.3;
/** A thread that waits for a core for this share of the time shares too few of them with too many. */
const QUEUED_LONG = 0.25;

/** From this share of the response time on, waiting for the pool is what stands out. */
const WAITED_LONG = 0.25;

/** The evidence of the answer. */
export interface Observed extends Pick<LoadResult, 'measurements' | 'model'> {
  readonly client: ClientFigures;
  readonly pool: Pick<LoadResult['pool'], 'figures'>;
  readonly workload: { readonly inProcess: boolean };
}

/**
 * Says what limited the run: poolctl itself, the processor, the pool, or what lies beyond. null if it was not
 * measured. The first question of any load test is whether it has measured the target or itself. An event loop also
 * counts as busy while its thread waits for a core, so a full loop is poolctl's doing only if it really ran.
 */
export function judgeBottleneck(run: Observed): Bottleneck | null {
  const { client, workload, model } = run;
  const { loopBusy, loopQueued } = client;
  if (loopBusy === null) return null;
  const when = model.kind === 'burst' ? 'the time that bursts were under way' : 'the time';
  const busy = `its event loop was busy ${formatShare(loopBusy, 0)} of ${when}`;
  const crowd = crowdOf(run);
  const isStarved = isStarvedOf(client);
  const isFull = loopBusy >= LOOP_FULL && !isStarved;
  // Nothing reports whether the loop ran or waited: the database may run in this process and use all cores.
  const isCrowdedOut = loopQueued === null && workload.inProcess && crowd.length > 0;
  if (isFull && !isCrowdedOut) {
    return {
      limit: 'client',
      sentence:
        `poolctl itself was the bottleneck: ${busy}. The target can do more than these figures say, ` +
        'and the response times contain waiting inside poolctl.',
    };
  }
  if (crowd.length > 0 || isStarved) {
    if (isOthers(run)) {
      const sentence = `Other programs had the processor: ${crowd.join(', ')}. What limits this run shows on a quiet machine.`;
      return { limit: 'processor', sentence };
    }
    const conclusion = isDisturbed(run) ? '' : ' More connections cannot make that faster.';
    return {
      limit: 'processor',
      sentence: `The processor was the limit, not poolctl itself: ${crowd.join(', ')}.${conclusion}`,
    };
  }
  const cleared = `poolctl itself was not the bottleneck: ${busy}.`;
  return isCrowded(run)
    ? { limit: 'pool', sentence: `The pool was the limit: ${waitingWords(run)}. ${cleared}` }
    : { limit: 'target', sentence: `Neither the pool nor the processor was the limit. ${cleared}` };
}

/** How poolctl itself was the limit, as a clause; null if it was not, or if nothing measured it. */
export function ownLimit(run: Observed, bottleneck: Bottleneck | null): string | null {
  const { loopBusy, loopRan, loopQueued } = run.client;
  if (bottleneck?.limit === 'client')
    return `poolctl itself was the bottleneck: its event loop was busy ${formatShare(loopBusy, 0)} of the time`;
  if (!isStarvedOf(run.client) || loopQueued === null || loopRan === null) return null;
  // Threads of this process that serve the load are the target, which has filled the cores by itself.
  if (run.workload.inProcess && !isOthers(run)) return null;
  return `poolctl itself was starved: it waited for a CPU core ${formatShare(loopQueued, 0)} of the time`;
}

function isStarvedOf({ loopQueued, loopRan }: ClientFigures): boolean {
  return loopQueued !== null && loopRan !== null && loopQueued >= Math.max(QUEUED_LONG, loopRan);
}

function waitingWords({ measurements: { wait, service }, pool }: Observed): string {
  const places = pool.figures?.peakInUse ?? 1;
  const what = places === 1 ? 'its one connection' : `one of its ${formatCount(places)} connections`;
  return `iterations waited ${formatMs(wait.meanMs)} for ${what}, to be served for ${formatMs(service.meanMs)}`;
}

/** Whether iterations spend a good part of their time waiting for a connection. */
export function isCrowded({ measurements: { wait, service }, pool }: Omit<Observed, 'client'>): boolean {
  if (wait.meanMs === null || service.meanMs === null) return false;
  return wait.meanMs >= WAITED_LONG * (wait.meanMs + service.meanMs) && (pool.figures?.waited ?? 0) > 0;
}

/** Whether other programs took their part of the machine. For a target elsewhere they may be that very target. */
export function isDisturbed({ client: { otherCores }, workload }: Observed): boolean {
  return workload.inProcess && otherCores !== null && otherCores >= OTHERS_NOTICEABLE;
}

/** Whether it was them, and not this run, that filled the machine. */
export function isOthers(run: Observed): boolean {
  const { cpuCores, otherCores } = run.client;
  return isDisturbed(run) && cpuCores !== null && otherCores !== null && otherCores > cpuCores;
}

/** Evidence that there are more threads than cores; empty if there is none. */
function crowdOf({ client, workload }: Observed): string[] {
  const { cpuCores, cores, machineBusy, loopQueued } = client;
  const isOwn = cpuCores !== null && cores !== null && cpuCores >= CORES_FULL * cores;
  const isMachine = machineBusy !== null && machineBusy >= CORES_FULL;
  const isQueued = loopQueued !== null && loopQueued >= QUEUED_LONG;
  if (!isOwn && !isMachine && !isQueued) return [];
  const self = workload.inProcess ? 'this process, with the database in it,' : 'this process';
  return [
    ...(cpuCores === null || cores === null
      ? []
      : [`${self} used ${cpuCores.toFixed(1)} of ${cores} ${cores === 1 ? 'core' : 'cores'}`]),
    ...(isOwn || !isMachine ? [] : [`the whole machine was ${formatShare(machineBusy, 0)} busy`]),
    ...(isQueued
      ? [`poolctl's event loop waited for a CPU core ${formatShare(loopQueued, 0)} of the time`]
      : []),
  ];
}
