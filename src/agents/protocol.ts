import type { LoadProgress } from '../loadtest/api.js';

/** Agents of another version of the protocol do not take part. Raise it with every change of these types. */
export const PROTOCOL = 1;

/** An agent reports this often, and more often while it waits for the start. */
export const BEAT_MS = 500;
export const READY_BEAT_MS = 200;
/** An agent or a coordinator that has not been seen for this long is gone. Locust's 3 s is too tight for busy machines. */
export const LEASE_MS = 3500;
/** A queue that does not answer a command within this time is not reachable. */
export const COMMAND_TIMEOUT_MS = 1000;
/** Time for the start to reach every agent, beside the round trips. */
export const START_IN_MS = 1500;
/** Time after which the queue forgets a run that nobody has ended. */
export const KEEP_MS = 3_600_000;

/** A load as it lies in the queue. It holds no secret. */
export interface RunPlan {
  readonly protocol: number;
  readonly runId: string;
  /** Version of poolctl. Agents of another one would run another load. */
  readonly version: string;
  readonly count: number;
  /** The target without its password; null: each agent makes a temporary SQLite file. */
  readonly target: string | null;
  /** Options of `poolctl loadtest`, a word each: `--rate=50/s`, `--no-pre-ping`. */
  readonly words: readonly string[];
  readonly files: readonly PlanFile[];
  /** Whether the load may write. Agents have a say in this. */
  readonly allowWrites: boolean;
}

/** A file that an option names. Agents get its content, and read no file of their own for a run. */
export interface PlanFile {
  /** `--sql-file` */
  readonly flag: string;
  /** Its name without a folder. */
  readonly name: string;
  readonly content: string;
  /** Text behind the name, such as the weight of a script. */
  readonly suffix: string;
}

/** The segment of an agent. */
export interface Assignment {
  readonly plan: RunPlan;
  /** From 1. */
  readonly index: number;
}

export type AgentState = 'preparing' | 'ready' | 'running' | 'done' | 'failed';

/** The report of an agent on its segment. It replaces the one before. */
export interface AgentReport {
  readonly state: AgentState;
  /** Names the agent for people: its host and its process. */
  readonly agent: string;
  /** By how much the clock of the queue is ahead of the agent's, and the round trip of that comparison; null before. */
  readonly clockOffsetMs: number | null;
  readonly roundTripMs: number | null;
  /** Options that decide the load, as the agent has resolved them; null before it is ready. */
  readonly options: Readonly<Record<string, string>> | null;
  readonly progress: LoadProgress | null;
  /** Why it has failed; null if it has not. */
  readonly reason: string | null;
  /** Whether the fault is in the command line. */
  readonly isUsage: boolean;
}

export type Stop = 'interrupt' | 'abort';

/** The answer to a sign of life. */
export interface Orders {
  /** The time of the queue's server. */
  readonly nowMs: number;
  /** When the load begins, by the clock of the queue; null while it is not known. */
  readonly startAtMs: number | null;
  readonly stop: Stop | null;
  /** The coordinator has reported the segment as missing: it must end, and nobody waits for its result. */
  readonly isLost: boolean;
  /** How long ago the coordinator was seen. */
  readonly coordinatorAgeMs: number;
}

/** A segment in the queue. */
export interface SegmentView {
  readonly index: number;
  /** Its agent; null while it is free. An owner is never replaced. */
  readonly owner: string | null;
  /** When the owner was seen last, by the clock of the queue. */
  readonly seenAtMs: number | null;
  readonly report: AgentReport | null;
  readonly hasResult: boolean;
  readonly isLost: boolean;
}

/** A run in the queue. */
export interface RunView {
  readonly plan: RunPlan;
  readonly nowMs: number;
  readonly startAtMs: number | null;
  readonly stop: Stop | null;
  readonly segments: readonly SegmentView[];
}

/** Orders of a coordinator. Fields that are left out stay. */
export interface RunOrders {
  readonly startAtMs?: number;
  readonly stop?: Stop;
  /** Segments that are missing from now on. */
  readonly lost?: readonly number[];
}
