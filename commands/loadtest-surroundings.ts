import type { LoadContext } from './loadtest-options.js';

/** The surroundings of a load test, and the signals that stop it: the same for every kind of target. */
export function surroundingsOf({ io, version }: Pick<LoadContext, 'io' | 'version'>) {
  return {
    environment: {
      poolctl: version,
      node: io.host.nodeVersion,
      platform: `${io.host.platform} ${io.host.arch}`,
      cores: io.host.cpuCount,
    },
    client: {
      eventLoopUtilization: io.eventLoopUtilization,
      cpuTime: io.cpuTime,
      hostCpuTime: io.hostCpuTime,
      cores: io.host.cpuCount,
    },
    clock: io.clock,
    stop: io.interrupts.stop,
    abort: io.interrupts.abort,
  };
}
