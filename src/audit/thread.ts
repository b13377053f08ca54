import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { onAbort } from '../base/abort.js';
import type { LocatedFile } from './code/files.js';
import type { AuditOptions, AuditResult, DetailedAudit } from './types.js';

/** The message to the thread. */
export interface Order {
  readonly paths: readonly string[];
  readonly options: Omit<AuditOptions, 'onProgress'>;
}

/** A message from the thread. */
export type Reply =
  | { readonly kind: 'progress'; readonly done: number; readonly total: number }
  | {
      readonly kind: 'result';
      readonly result: AuditResult;
      readonly files: ReadonlyMap<string, LocatedFile>;
      readonly reads: readonly ReadonlySet<string>[];
    };

const WORKER = new URL('./audit-worker.js', import.meta.url);

/**
 * Audits on a thread of its own: one function may be followed for seconds at a stretch, and meanwhile a signal must end
 * the run. Where the code is not compiled, as in tests, it audits right here.
 */
export async function auditInThread(
  paths: readonly string[],
  { onProgress, ...options }: AuditOptions,
  signal: AbortSignal,
): Promise<DetailedAudit> {
  signal.throwIfAborted();
  if (!existsSync(WORKER)) {
    const { auditInDetail } = await import('./audit.js');
    return auditInDetail(paths, onProgress === undefined ? options : { ...options, onProgress });
  }
  const worker = new Worker(WORKER, {
    workerData: { paths, options } satisfies Order,
    execArgv: [],
    // Syntax trees die young: with room for them, the collector takes less of the time.
    resourceLimits: { maxYoungGenerationSizeMb: 128 },
  });
  try {
    return await answerOf(worker, onProgress, signal);
  } finally {
    void worker.terminate();
  }
}

/** Makes an audit of the message of a thread, which holds no functions. */
export function detailedOf({ result, files, reads }: Extract<Reply, { kind: 'result' }>): DetailedAudit {
  const byFinding = new Map(result.findings.map((finding, at) => [finding, reads[at]]));
  return { result, files, readsOf: (finding) => byFinding.get(finding) ?? new Set() };
}

function answerOf(
  worker: Worker,
  onProgress: AuditOptions['onProgress'],
  signal: AbortSignal,
): Promise<DetailedAudit> {
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, () => reject(signal.reason));
    worker.on('message', (reply: Reply) => {
      if (reply.kind === 'progress') return onProgress?.(reply.done, reply.total);
      forget();
      resolve(detailedOf(reply));
    });
    worker.on('error', (error) => {
      forget();
      reject(error);
    });
    worker.on('exit', (code) => {
      forget();
      reject(new Error(`the thread of the audit ended with exit code ${code}`));
    });
  });
}
