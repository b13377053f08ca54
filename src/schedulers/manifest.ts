/** A load to be run as segments by a scheduler. */
export interface LoadJob {
  /** The words after `poolctl` that run the load: the command, its target and its options. They hold no secret. */
  readonly words: readonly string[];
  readonly count: number;
  /** Names the run and its objects: lower-case letters, digits and dashes. */
  readonly name: string;
  /** The common start as a time that `--start-at` takes; null: shortly after the submission. */
  readonly startAt: string | null;
  /** Options of `poolctl merge`. */
  readonly mergeWords: readonly string[];
  /** Variables of the environment that hold secrets of the target. Manifests name them, and never hold their values. */
  readonly secrets: readonly string[];
  /** Files that the words name, each as it was written. */
  readonly files: readonly string[];
  readonly version: string;
  /** npm packages that the load needs beside poolctl. */
  readonly packages: readonly string[];
  /** The container image with poolctl. */
  readonly image: string;
  /** When the manifest is made, in ms since the epoch. */
  readonly nowMs: number;
}

/** How to run a load under one scheduler. */
export interface Scheduler {
  /** Throws a ManifestError for a load that this scheduler cannot run. */
  manifest(job: LoadJob): string;
}

/** Schedulers that a manifest can be written for. */
export const SCHEDULER_NAMES = ['kubernetes', 'slurm', 'github', 'parallel'] as const;
export type SchedulerName = (typeof SCHEDULER_NAMES)[number];

/** A load cannot be written as a manifest. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
}
