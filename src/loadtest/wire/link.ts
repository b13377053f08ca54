import { onAbort } from '../../base/abort.js';
import type { Clock, Timer } from '../../base/clock.js';
import { Deque } from '../../base/deque.js';
import { asError, ignore } from '../../base/promises.js';
import type { PgConnection } from '../../db/drivers/pg-connection.js';
import { statementError } from '../../db/drivers/pg-errors.js';
import type { PgRaw, RawReader } from '../../db/drivers/pg-raw.js';
import { connectionLost, DatabaseError } from '../../db/errors.js';
import type { Iteration } from '../api.js';
import { openTransaction } from '../workloads/errors.js';
import { type AnswerListener, AnswerParser, type ServerFault } from './answers.js';
import { WireError } from './errors.js';
import { Outbox, queryMessage, SYNC } from './messages.js';
import type { WireScripts, WireStatement, WireWork } from './script.js';

/** The engine, as a link sees it. */
export interface LinkHost {
  readonly clock: Clock;
  /** Time of the current read, by the clock. */
  readonly readAt: number;
  /** Brackets the reading of answers: what was added to links meanwhile is sent at its end. */
  beginRead(): void;
  endRead(): void;
  /** A link has its first iteration (1), or has ended its last (-1). */
  busied(change: 1 | -1): void;
  /** A link has messages to send. */
  filled(link: Link): void;
  /** A link has room for an iteration that it had no room for before. */
  freed(link: Link): void;
  /** A link is of no use any more. Its iterations have failed. */
  lost(link: Link, cause: Error): void;
}

/** One iteration on a link. */
class Task {
  readonly iteration: Iteration;
  readonly work: WireWork;
  /** The next of its steps. */
  step = 0;
  /** The statement under way. */
  statement: WireStatement | null = null;
  error: unknown = null;
  /** Its time is over. */
  isCanceled = false;
  /** Ends what watches it: its signal, and a timer. */
  stopWatching: () => void = ignore;

  constructor(iteration: Iteration, work: WireWork) {
    this.iteration = iteration;
    this.work = work;
  }
}

export interface LinkOptions {
  /** Iterations under way at once. */
  readonly pipeline: number;
  /** One Sync for all of them. */
  readonly batch: boolean;
}

/** A statement that was canceled ends soon. */
const CANCELED_MS = 2000;

const IDLE = 0x49;
/** The first letter of ROLLBACK. */
const ROLLED_BACK = 0x52;

/** One connection that speaks the protocol: sends prepared statements, and ends iterations by the answers. */
export class Link implements RawReader, AnswerListener {
  /** Statements that have ended, by success or error. */
  statements = 0;
  bytesSent = 0;
  /** Whether the engine has it on its list of links with room, or with something to send. */
  isOpen = false;
  isFilled = false;
  readonly #host: LinkHost;
  readonly #options: LinkOptions;
  readonly #raw: PgRaw;
  readonly #parser = new AnswerParser(this);
  readonly #out = new Outbox();
  readonly #tasks = new Deque<Task>();
  /** Work of the server beside the tasks. */
  #phase: 'preparing' | 'working' | 'rolling back' | 'over' = 'preparing';
  #status = IDLE;
  /** Iterations of the batch that have ended, and its error. */
  #done = 0;
  #batchError: Error | null = null;
  #cancels = 0;
  #sleep: Timer | null = null;
  #prepared: { resolve(): void; reject(error: Error): void } = { resolve: ignore, reject: ignore };

  constructor(connection: PgConnection, host: LinkHost, options: LinkOptions) {
    this.#host = host;
    this.#options = options;
    this.#raw = connection.takeOver(this);
  }

  get isTls(): boolean {
    return this.#raw.isTls;
  }

  get rows(): number {
    return this.#parser.rows;
  }

  get bytesReceived(): number {
    return this.#parser.bytes;
  }

  get isBusy(): boolean {
    return this.#phase !== 'over' && (this.#tasks.length > 0 || this.#phase !== 'working');
  }

  /** Iterations that it can take now. */
  get room(): number {
    if (this.#phase !== 'working' || this.#cancels > 0) return 0;
    if (this.#options.batch) return this.#tasks.length === 0 ? this.#options.pipeline : 0;
    return this.#options.pipeline - this.#tasks.length;
  }

  /** Gives the statements their names. Rejects with what the server says to them. */
  prepare({ prepare }: WireScripts): Promise<void> {
    const prepared = new Promise<void>((resolve, reject) => {
      this.#prepared = { resolve, reject };
    });
    for (const message of prepare) this.#out.add(message);
    this.#out.add(SYNC);
    this.flush();
    return prepared;
  }

  /** Takes an iteration on; there must be room. In a batch, `sealed` must follow the last one. */
  begin(iteration: Iteration, work: WireWork): void {
    const task = new Task(iteration, work);
    const { signal } = iteration;
    if (signal !== undefined) task.stopWatching = onAbort(signal, () => this.#cancel(task));
    this.#tasks.push(task);
    if (this.#tasks.length === 1) this.#host.busied(1);
    this.#proceed(task);
  }

  /** The batch is complete. */
  sealed(): void {
    if (this.#tasks.length === 0) return;
    this.#out.add(SYNC);
    this.#fill();
  }

  /** Sends what was added. */
  flush(): void {
    if (this.#out.isEmpty || this.#phase === 'over') return;
    const bytes = this.#out.take();
    this.bytesSent += bytes.length;
    this.#raw.write(bytes);
    // Bytes that the operating system has not taken yet must not be overwritten.
    if (!this.#raw.isFlushed) this.#out.renew();
  }

  read(bytes: Uint8Array, length: number): void {
    if (this.#phase === 'over') return;
    this.#host.beginRead();
    try {
      this.#parser.read(bytes, length);
    } catch (error) {
      this.#end(asError(error));
    } finally {
      this.#host.endRead();
    }
  }

  lost(cause: Error): void {
    this.#end(cause);
  }

  /** Drops everything without a word. */
  close(): void {
    this.#phase = 'over';
    this.#sleep?.cancel();
    for (const { stopWatching } of this.#tasks) stopWatching();
  }

  completed(tag: number): void {
    this.statements++;
    if (this.#options.batch) {
      this.#done++;
      return;
    }
    const task = this.#tasks.first;
    if (this.#phase === 'rolling back') return;
    if (task === undefined) throw unasked('the end of a statement');
    if (tag === ROLLED_BACK && task.statement?.commits === true) task.error ??= falseCommit();
  }

  failed(fault: ServerFault): void {
    const error = Object.assign(new Error(fault.message), {
      ...{ severity: fault.severity, code: fault.code },
      ...(fault.hint === null ? {} : { hint: fault.hint }),
    });
    const task = this.#tasks.first;
    // It hangs up after that, and so all iterations fail alike.
    const isLast = fault.severity === 'FATAL' || fault.severity === 'PANIC';
    if (isLast || (task === undefined && this.#phase !== 'preparing')) {
      this.#raw.told(error);
      return;
    }
    if (task === undefined) {
      this.#end(statementError(error, ''));
      return;
    }
    this.statements++;
    if (this.#options.batch) this.#batchError ??= statementError(error, task.statement?.sql ?? '');
    else task.error ??= statementError(error, task.statement?.sql ?? '');
  }

  ready(status: number): void {
    this.#status = status;
    if (status === IDLE) this.#raw.tally.transactions++;
    switch (this.#phase) {
      case 'preparing':
        this.#phase = 'working';
        this.#prepared.resolve();
        this.#host.freed(this);
        return;
      case 'rolling back':
        this.#phase = 'working';
        this.#finish();
        return;
      case 'working':
        if (this.#options.batch) this.#endBatch();
        else this.#endStatement();
        return;
      case 'over':
        return;
    }
  }

  #endStatement(): void {
    const task = this.#tasks.first;
    if (task === undefined || task.statement === null) throw unasked('ReadyForQuery');
    task.statement = null;
    const goesOn = task.error === null && !task.isCanceled && task.step < task.work.steps.length;
    if (goesOn) this.#proceed(task);
    else this.#conclude(task);
  }

  /** Goes through the steps of an iteration up to the next statement. */
  #proceed(task: Task): void {
    const { steps, bindings } = task.work;
    while (task.step < steps.length) {
      const step = steps[task.step++];
      if (step === undefined) break;
      try {
        if (step.kind === 'set') {
          bindings.variables.set(step.variable, step.to.evaluate(bindings));
          continue;
        }
        if (step.kind === 'statement') {
          const { statement } = step;
          task.statement = statement;
          this.#out.execute(statement.template, bindings.valuesOf(statement.source));
          if (!this.#options.batch) this.#out.add(SYNC);
          this.#fill();
          // In a pipeline the answer ends it: there is only \set behind the statement.
          return;
        }
      } catch (error) {
        task.error = error;
        break;
      }
      this.#sleep = this.#host.clock.setTimer(() => this.#wake(task), step.ms);
      return;
    }
    this.#conclude(task);
  }

  #wake(task: Task): void {
    this.#sleep = null;
    if (this.#phase === 'over') return;
    this.#host.beginRead();
    if (task.isCanceled) this.#conclude(task);
    else this.#proceed(task);
    this.#host.endRead();
  }

  /** The steps of an iteration are over: a transaction that it has left open is rolled back first. */
  #conclude(task: Task): void {
    if (this.#status === IDLE) {
      this.#finish(task);
      return;
    }
    task.error ??= openTransaction();
    this.#phase = 'rolling back';
    this.#out.add(queryMessage('ROLLBACK'));
    this.#fill();
  }

  /** Ends the iteration whose turn it is. The link has room first, since the next one begins at once. */
  #finish(task = this.#tasks.first): void {
    if (task === undefined) return;
    // One that failed before it was sent may not be the first.
    if (this.#tasks.first === task) this.#tasks.shift();
    else this.#tasks.remove(task);
    if (this.#tasks.length === 0) this.#host.busied(-1);
    task.stopWatching();
    if (isStale(task.error)) {
      this.#end(asError(task.error), task);
      return;
    }
    if (this.#tasks.first?.isCanceled === true) this.#cancelRunning();
    if (this.room > 0) this.#host.freed(this);
    task.iteration.end(task.error, this.#host.readAt);
  }

  /** An error in a batch undoes all of it: the server runs it as one transaction. */
  #endBatch(): void {
    const error = this.#batchError;
    const done = this.#done;
    const all: Task[] = [];
    for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift()) all.push(task);
    if (all.length === 0 || (error === null && done !== all.length)) throw unasked('ReadyForQuery');
    this.#batchError = null;
    this.#done = 0;
    this.#host.busied(-1);
    if (error !== null && isStale(error)) {
      this.#end(error, ...all);
      return;
    }
    if (this.room > 0) this.#host.freed(this);
    const at = this.#host.readAt;
    for (let i = 0; i < all.length; i++) {
      const task = all[i] as Task;
      task.stopWatching();
      task.iteration.end(error === null ? null : i === done ? error : inFailedBatch(error), at);
    }
  }

  /** The iteration is over for the runner. The server is asked to stop it, and the link waits until it has. */
  #cancel(task: Task): void {
    task.isCanceled = true;
    this.#cancelRunning();
  }

  /**
   * Cancels the statement that the server runs, if it is one to be canceled: a request says nothing about which, so it must
   * be the first, and the only request.
   */
  #cancelRunning(): void {
    if (this.#phase === 'over' || this.#cancels > 0) return;
    const task = this.#options.batch
      ? [...this.#tasks].find(({ isCanceled }) => isCanceled)
      : this.#tasks.first;
    if (task === undefined || !task.isCanceled || task.statement === null) return;
    this.#cancels++;
    void this.#raw.cancel().then(() => {
      this.#cancels--;
      if (this.room > 0) this.#host.freed(this);
      if (this.#phase === 'over') return;
      if (![...this.#tasks].includes(task)) this.#cancelRunning();
      else this.#endUnlessAnswered(task);
    });
  }

  /** A server that does not answer a request to cancel either is not waited for. */
  #endUnlessAnswered(task: Task): void {
    const timer = this.#host.clock.setTimer(() => {
      this.#end(connectionLost('the server did not answer after a request to cancel'));
    }, CANCELED_MS);
    const { stopWatching } = task;
    task.stopWatching = () => {
      timer.cancel();
      stopWatching();
    };
  }

  #fill(): void {
    this.#host.filled(this);
  }

  /** The connection is done for: iterations on it fail with the cause. */
  #end(cause: Error, ...others: Task[]): void {
    if (this.#phase === 'over') return;
    this.#prepared.reject(cause);
    const all = [...others, ...this.#tasks];
    if (this.#tasks.length > 0) this.#host.busied(-1);
    this.close();
    this.#host.lost(this, cause);
    for (const { iteration, stopWatching, error } of all) {
      stopWatching();
      iteration.end(error ?? cause);
    }
  }
}

function unasked(what: string): WireError {
  return new WireError('ERR_WIRE_PROTOCOL', `the server sent ${what}, and nothing was asked of it`);
}

/** A commit of a transaction in which a statement failed is answered with ROLLBACK, and no error. */
function falseCommit(): DatabaseError {
  return new DatabaseError('25P02', 'the transaction was rolled back, since a statement in it had failed');
}

function inFailedBatch(cause: Error): WireError {
  return new WireError(
    'ERR_WIRE_BATCH',
    'another iteration of the batch failed, so the server rolled all of them back',
    { cause },
  );
}

/** The server no longer has the statement as it was prepared: the connection is replaced, which prepares it anew. */
function isStale(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return false;
  return error.code === '26000' || (error.code === '0A000' && /cached plan/.test(error.message));
}
