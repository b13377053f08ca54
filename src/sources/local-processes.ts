import { readFile } from 'node:fs/promises';
import type { Clock } from '../base/clock.js';

/** The use of a process of this machine; rates are those since the reading before, null at the first. */
export interface ProcessUse {
  /** Share of one core. */
  readonly cpuShare: number | null;
  /** Memory that it shares with no other process. */
  readonly memoryBytes: number | null;
  /** Read from and written to disk; null where the system does not tell this user. */
  readonly readPerSecond: number | null;
  readonly writtenPerSecond: number | null;
}

/** More busy processes are not looked at: each costs the reader three small files. */
const MOST = 100;
/** Ticks of a second in /proc, and bytes of a page, on every Linux that Node runs on. */
const TICKS = 100;
const PAGE = 4096;

interface Sample {
  readonly atMs: number;
  readonly startedAt: string;
  readonly cpuMs: number;
  readonly read: number | null;
  readonly written: number | null;
}

/** Reads the use of processes of this machine, one reading after the other. */
export class LocalProcesses {
  readonly #clock: Clock;
  #samples = new Map<number, Sample>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Leaves out processes whose command line begins otherwise, since those pids are of another machine. */
  async use(pids: readonly number[], title: string): Promise<ReadonlyMap<number, ProcessUse>> {
    const atMs = this.#clock.now();
    const samples = new Map<number, Sample>();
    const found = await Promise.all(
      pids.slice(0, MOST).map(async (pid): Promise<readonly [number, ProcessUse] | null> => {
        const [command, stat, pages, io] = await Promise.all(
          ['cmdline', 'stat', 'statm', 'io'].map((name) => textOf(`/proc/${pid}/${name}`)),
        );
        const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
        if (command?.startsWith(title) !== true || fields === undefined) return null;
        const now: Sample = {
          atMs,
          startedAt: fields[19] ?? '',
          cpuMs: ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS,
          read: countIn(io ?? null, 'read_bytes'),
          written: countIn(io ?? null, 'write_bytes'),
        };
        const before = this.#samples.get(pid);
        samples.set(pid, now);
        const [, resident, shared] = (pages ?? '').split(' ').map(Number);
        const rates = before?.startedAt === now.startedAt ? ratesOf(before, now) : NO_RATES;
        const own = resident === undefined || shared === undefined ? null : (resident - shared) * PAGE;
        return [pid, { ...rates, memoryBytes: own }];
      }),
    );
    this.#samples = samples;
    return new Map(found.filter((one) => one !== null));
  }
}

const NO_RATES = { cpuShare: null, readPerSecond: null, writtenPerSecond: null };

function ratesOf(before: Sample, now: Sample): typeof NO_RATES | Omit<ProcessUse, 'memoryBytes'> {
  const overMs = now.atMs - before.atMs;
  if (overMs <= 0) return NO_RATES;
  const perSecond = (one: number | null, other: number | null): number | null =>
    one === null || other === null ? null : ((other - one) * 1000) / overMs;
  return {
    cpuShare: (now.cpuMs - before.cpuMs) / overMs,
    readPerSecond: perSecond(before.read, now.read),
    writtenPerSecond: perSecond(before.written, now.written),
  };
}

function countIn(text: string | null, name: string): number | null {
  const [, count] = new RegExp(`^${name}: (\\d+)$`, 'm').exec(text ?? '') ?? [];
  return count === undefined ? null : Number(count);
}

/** null where there is no such process, or this user may not read it. */
async function textOf(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null);
}
