import type { Scheduler, SchedulerName } from './manifest.js';

export async function schedulerOf(name: SchedulerName): Promise<Scheduler> {
  switch (name) {
    case 'kubernetes':
      return (await import('./kubernetes.js')).kubernetes;
    case 'slurm':
      return (await import('./slurm.js')).slurm;
    case 'github':
      return (await import('./github.js')).github;
    case 'parallel':
      return (await import('./parallel.js')).parallel;
  }
}
