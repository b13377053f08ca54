import { defineCommand } from '../src/cli/command.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { dashboard } from '../src/metrics/dashboard.js';

export const command = defineCommand({
  name: 'metrics dashboard',
  summary: 'print a dashboard for Grafana',
  description:
    'Prints a Grafana dashboard of connection pools, PgBouncer and PostgreSQL as JSON, to import or to provision.\n' +
    'Grafana shows it at /d/connection-pool-monitoring.',
  arguments: {},
  options: {},
  examples: [{ command: 'poolctl metrics dashboard -o connection-pools.json', meaning: 'a file to import' }],
  async run(context) {
    await context.write(`${JSON.stringify(dashboard(), null, 2)}\n`);
    return ExitCode.Ok;
  },
});
