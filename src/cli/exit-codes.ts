/** The exit code of a run. Scripts depend on these: a value is never given a second meaning. */
export const ExitCode = {
  /** Ran, and the verdict is good. */
  Ok: 0,
  /** Ran, and the verdict is bad: findings, a failed threshold, a failed check. */
  Failed: 1,
  /** Did not run: a flag, an argument, the config file or a threshold expression is wrong. Nothing was touched. */
  Usage: 2,
  /** A target, a file or an optional package was not available. */
  Unavailable: 3,
  /** A defect in poolctl itself (EX_SOFTWARE of sysexits.h), since 1, Node's own code for a crash, is taken. */
  Defect: 70,
  /** Ended by a hang-up before the verdict: 128 + SIGHUP. */
  HungUp: 129,
  /** Ended by Ctrl-C before the verdict: 128 + SIGINT. */
  Interrupted: 130,
  /** Ended by SIGTERM before the verdict: 128 + SIGTERM. */
  Terminated: 143,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
