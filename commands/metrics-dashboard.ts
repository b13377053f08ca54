import { defineCommand } from '../src/cli/command.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { dashboard } from '../src/metrics/dashboard.js';

export const command = defineCommand({
  name: 'metrics dashboard',
  summary: 'print a dashboard for Grafana',
  description:
    'Prints the JSON of a dashboard of connection pools, PgBouncer and PostgreSQL, to be imported into Grafana or\n' +
    'provisioned from a file. It asks for its source of data, and is found at /d/connection-pool-monitoring.',
  arguments: {},
  options: {},
  examples: [
    { command: 'poolctl metrics dashboard -o connection-pools.json', meaning: 'as a file, to be imported' },
  ],
  async run(context) {
    await context.write(`${JSON.stringify(dashboard(), null, 2)}\n`);
    return ExitCode.Ok;
  },
});
