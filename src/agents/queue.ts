import { CodedError, type CodedErrorOptions } from '../base/coded-error.js';
import type { AgentReport, Assignment, Orders, RunOrders, RunPlan, RunView } from './protocol.js';

/** The queue cannot be used, or has forgotten a run. */
export class AgentQueueError extends CodedError<'ERR_AGENT_QUEUE'> {
  constructor(message: string, options: CodedErrorOptions = {}) {
    super('ERR_AGENT_QUEUE', message, options);
    this.name = 'AgentQueueError';
  }
}

/** `taken`: another coordinator has the run, and lives. `other`: it is a run of another load. */
export type Opened = 'created' | 'adopted' | 'taken' | 'other';

/** `refused`: the segment is missing by now, or has another owner. `unknown`: the server has no such run. */
export type Delivered = 'taken' | 'refused' | 'unknown';

/**
 * The place where a coordinator and its agents meet. Every method but `next` and `close` rejects with an AgentQueueError
 * if the server does not answer in time.
 */
export interface AgentQueue {
  /** Its address without the password. */
  readonly name: string;
  /** The time of its server, in ms since the epoch. */
  time(): Promise<number>;

  /** Puts a run up, and asks for its agents. A run that its coordinator has left is adopted as it is. */
  open(plan: RunPlan, coordinator: string): Promise<Opened>;
  /** Puts a run up again that the server has lost, without asking for agents. */
  restore(view: RunView, coordinator: string): Promise<void>;
  /** The run, and a sign of life of its coordinator; null if the server has no such run. */
  look(runId: string): Promise<RunView | null>;
  order(runId: string, orders: RunOrders): Promise<void>;
  /** The result of a segment; null if there is none. */
  result(runId: string, index: number): Promise<string | null>;
  /** Removes everything of the run. */
  forget(runId: string, count: number): Promise<void>;

  /** Waits for a run that needs agents, and gives its id; null once the signal aborts. */
  next(signal: AbortSignal): Promise<string | null>;
  /**
   * Takes the next free segment. null if the run is over, has no segment left, or the agent had one already. A segment is
   * given away once, so it never runs twice.
   */
  claim(runId: string, agent: string): Promise<Assignment | null>;
  /** A sign of life with a report. null if the server has no such run, or the segment has another owner. */
  beat(runId: string, index: number, agent: string, report: AgentReport): Promise<Orders | null>;
  /** Hands a result in. */
  deliver(runId: string, index: number, agent: string, result: string): Promise<Delivered>;

  close(): Promise<void>;
}
