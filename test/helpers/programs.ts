import { spawnSync } from 'node:child_process';

/**
 * Whether a program is installed. Where it is missing, one line names what is not tested, and under
 * POOLCTL_REQUIRE_SERVICES=1 that is an error.
 */
export function hasProgram(name: string, tested: string): boolean {
  const { error } = spawnSync(name, ['--version'], { stdio: 'ignore' });
  if (error === undefined) return true;
  if (process.env.POOLCTL_REQUIRE_SERVICES === '1') throw new Error(`${name} is missing: ${error.message}`);
  process.stderr.write(`${name} is missing; not tested: ${tested}\n`);
  return false;
}
