import { defineCommand } from '../src/cli/command.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { value } from '../src/cli/options.js';
import { duration, share } from '../src/cli/value-types.js';
import { ALERT_LIMITS, alertRules, alertsYaml } from '../src/metrics/alerts.js';

const LIMITS = 'Limits';

const options = {
  utilization: value({
    summary: 'a pool with callers that wait is saturated when more of it than this is in use',
    type: share({ least: 0.01 }),
    default: ALERT_LIMITS.utilization,
    group: LIMITS,
  }),
  checkoutP99: value({
    summary: 'how long the 99th percentile of callers may wait for a connection',
    type: duration({ leastMs: 1 }),
    default: ALERT_LIMITS.checkoutMs,
    group: LIMITS,
  }),
  maxWait: value({
    summary: 'how long the oldest client of PgBouncer may wait',
    type: duration({ leastMs: 1 }),
    default: ALERT_LIMITS.maxWaitMs,
    group: LIMITS,
  }),
  connections: value({
    summary: 'how many of the connections of PostgreSQL that are not kept back may be in use',
    type: share({ least: 0.01 }),
    default: ALERT_LIMITS.connections,
    group: LIMITS,
  }),
};

export const command = defineCommand({
  name: 'metrics alerts',
  summary: 'print alerting rules for Prometheus',
  description:
    'Prints a file of rules for the metrics of poolctl metrics serve: saturated pools (only while somebody waits), slow\n' +
    'checkouts, time-outs, broken and leaked connections, the queue of PgBouncer (silent while it is paused), and the\n' +
    'headroom of PostgreSQL without what is kept back. Each has a text on what to do.',
  arguments: {},
  options,
  examples: [
    {
      command: 'poolctl metrics alerts -o poolctl-alerts.yml',
      meaning: 'as a file, for rule_files in prometheus.yml',
    },
    {
      command: 'poolctl metrics alerts --max-wait 5s --checkout-p99 100ms',
      meaning: 'with limits of your own',
    },
  ],
  async run(context) {
    const { utilization, checkoutP99, maxWait, connections } = context.options;
    const rules = alertRules({ utilization, checkoutMs: checkoutP99, maxWaitMs: maxWait, connections });
    await context.write(alertsYaml(rules));
    return ExitCode.Ok;
  },
});
