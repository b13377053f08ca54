/**
 * What a run of poolctl can end with, for the manual page and the reference.
 * @type {readonly (readonly [number, string])[]}
 */
export const EXIT_CODES = [
  [0, 'The command ran, and the verdict is good.'],
  [1, 'The command ran, and the verdict is bad: findings, a failed threshold, a failed check.'],
  [2, 'The command did not run: an option, an argument or the config file is wrong. Nothing was touched.'],
  [3, 'A target, a file or an optional package was not available.'],
  [70, 'A defect in poolctl.'],
  [129, 'Ended by a hang-up (SIGHUP) before the verdict.'],
  [130, 'Ended by Ctrl-C (SIGINT) before the verdict.'],
  [143, 'Ended by SIGTERM before the verdict.'],
];
