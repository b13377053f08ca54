import { onAbort } from '../base/abort.js';
import { AgentQueueError } from './queue.js';

/** The parts of BullMQ that are used here. */
export interface BullJob {
  readonly data: unknown;
  moveToCompleted(value: unknown, token: string, fetchNext: boolean): Promise<unknown>;
}

export interface BullQueue {
  on(event: 'error', listener: (error: Error) => void): unknown;
  addBulk(jobs: readonly object[]): Promise<unknown>;
  remove(jobId: string): Promise<unknown>;
  close(): Promise<void>;
  disconnect(): Promise<void>;
}

export interface BullWorker {
  on(event: 'error', listener: (error: Error) => void): unknown;
  getNextJob(token: string, options: { readonly block: boolean }): Promise<BullJob | undefined>;
  close(force: boolean): Promise<void>;
  disconnect(): Promise<void>;
}

export interface Bull {
  readonly queue: BullQueue;
  /** Made when an agent waits for the first time. */
  worker(): BullWorker;
}

/** Every agent and coordinator of one server meets in this queue of BullMQ. */
export const BULL_QUEUE = 'agents';

/** A server that answers closes sooner. */
const CLOSE_MS = 1000;

/** BullMQ forbids colons in the id of a job. */
function jobIdOf(runId: string, n: number): string {
  return `${runId}-${n}`;
}

/**
 * One job of BullMQ for each agent that a run needs. A job says only that there is work: it is completed as soon as it is
 * fetched, so no stalled job can ever be started again. Who gets which segment is decided by the claim.
 */
export class Invitations {
  readonly #bull: Bull;
  readonly #token: string;
  #worker: BullWorker | null = null;

  constructor(bull: Bull, token: string) {
    this.#bull = bull;
    this.#token = token;
    // An outage shows in the commands.
    bull.queue.on('error', () => {});
  }

  /** Asks for so many agents, all or none, behind those that other runs have asked for. */
  async send(runId: string, count: number): Promise<void> {
    await this.#bull.queue.addBulk(
      Array.from({ length: count }, (_, n) => ({
        name: 'run',
        data: { runId },
        opts: { jobId: jobIdOf(runId, n), removeOnComplete: true, removeOnFail: true, attempts: 1 },
      })),
    );
  }

  /** Waits for a job; null once the signal aborts. */
  async next(signal: AbortSignal): Promise<string | null> {
    const worker = this.#workerOf();
    // While the server is away, BullMQ waits for it without end.
    const gone = new Promise<undefined>((resolve) => void onAbort(signal, () => resolve(undefined)));
    while (!signal.aborted) {
      const job = await Promise.race([worker.getNextJob(this.#token, { block: true }), gone]);
      if (job === undefined) continue;
      await job.moveToCompleted(null, this.#token, false);
      const { runId } = (job.data ?? {}) as { runId?: unknown };
      if (typeof runId === 'string') return runId;
    }
    return null;
  }

  /** Removes the jobs of a run that nobody has fetched. */
  async withdraw(runId: string, count: number): Promise<void> {
    for (let n = 0; n < count; n++) await this.#bull.queue.remove(jobIdOf(runId, n));
  }

  async close(): Promise<void> {
    // A server that is away must not keep the process from its end.
    const closed = [this.#worker?.close(true), this.#bull.queue.close()];
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_MS);
    });
    await Promise.race([Promise.allSettled(closed), late]);
    clearTimeout(timer);
  }

  #workerOf(): BullWorker {
    if (this.#worker !== null) return this.#worker;
    const worker = this.#bull.worker();
    worker.on('error', () => {});
    this.#worker = worker;
    return worker;
  }
}

/** The message where an optional package is missing. */
export function missingPackage(names: string, cause: unknown): AgentQueueError {
  const [reason = ''] = String(cause instanceof Error ? cause.message : cause).split('\n');
  return new AgentQueueError(
    `agents need the ${names.includes(' ') ? 'packages' : 'package'} ${names.replaceAll(' ', ' and ')}: ${reason}`,
    {
      cause,
      hint: `run npm install ${names}`,
    },
  );
}
