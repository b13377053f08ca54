import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startGuarded } from './guarded.js';
import { hasProgram } from './programs.js';

/** A Slurm of a test's own, on this machine. */
export interface Slurm {
  /** The environment of its commands. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** null where Slurm is not installed, or may not be run. */
export async function startSlurm(): Promise<Slurm | null> {
  if (!hasProgram('sbatch', 'a load in a job array of Slurm')) return null;
  const folder = await mkdtemp(join(tmpdir(), 'poolctl-slurm-'));
  const [controllerPort, nodePort] = [await freePort(), await freePort()];
  const file = join(folder, 'slurm.conf');
  await writeFile(
    file,
    [
      'ClusterName=test',
      'SlurmctldHost=localhost(127.0.0.1)',
      `SlurmctldPort=${controllerPort}`,
      `SlurmdPort=${nodePort}`,
      'AuthType=auth/none',
      'CredType=cred/none',
      'SlurmUser=root',
      `StateSaveLocation=${folder}/state`,
      `SlurmdSpoolDir=${folder}/spool`,
      `SlurmctldPidFile=${folder}/controller.pid`,
      `SlurmdPidFile=${folder}/node.pid`,
      'ProctrackType=proctrack/linuxproc',
      'TaskPlugin=task/none',
      'SelectType=select/linear',
      'SchedulerType=sched/builtin',
      'OverTimeLimit=UNLIMITED',
      'ReturnToService=2',
      'SlurmdParameters=config_overrides',
      `NodeName=node[1-2] NodeAddr=127.0.0.1 Port=[${nodePort}-${nodePort + 1}] CPUs=${cpus().length} State=UNKNOWN`,
      'PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:16',
    ].join('\n'),
  );
  const env = { SLURM_CONF: file };
  const start = (script: string, ready: RegExp) =>
    startGuarded(['sh', '-c', `export SLURM_CONF=${file} PATH=$PATH:/usr/sbin; ${script}`], {
      user: {},
      folder,
      stopSignal: 'TERM',
      ready,
    });
  const controller = await start('exec slurmctld -D', /Running as primary controller|slurmctld version/);
  const nodes = await start('slurmd -D -N node1 & slurmd -D -N node2 & wait', /slurmd started/);
  return {
    env,
    async stop() {
      await nodes.stop();
      await controller.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
