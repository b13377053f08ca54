import { defineCommand } from '../src/cli/command.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { value } from '../src/cli/options.js';
import { duration, share } from '../src/cli/value-types.js';
import { ALERT_LIMITS, alertRules, alertsYaml } from '../src/metrics/alerts.js';

const LIMITS = 'Limits';

const options = {
  utilization: value({
    summary: 'share of a pool in use that is saturated while callers wait',
    type: share({ least: 0.01 }),
    default: ALERT_LIMITS.utilization,
    group: LIMITS,
  }),
  checkoutP99: value({
    summary: 'maximum p99 wait for a connection',
    type: duration({ leastMs: 1 }),
    default: ALERT_LIMITS.checkoutMs,
    group: LIMITS,
  }),
  maxWait: value({
    summary: "maximum wait in PgBouncer's queue",
    type: duration({ leastMs: 1 }),
    default: ALERT_LIMITS.maxWaitMs,
    group: LIMITS,
  }),
  connections: value({
    summary: 'maximum share of the unreserved connections of PostgreSQL in use',
    type: share({ least: 0.01 }),
    default: ALERT_LIMITS.connections,
    group: LIMITS,
  }),
};

export const command = defineCommand({
  name: 'metrics alerts',
  summary: 'print alerting rules for Prometheus',
  description:
    'Prints Prometheus rules for the metrics of poolctl metrics serve. They cover saturated pools, slow checkouts,\n' +
    'timeouts, broken and leaked connections, the queue of PgBouncer, and the free connections of PostgreSQL. Each\n' +
    'rule says what to do.',
  arguments: {},
  options,
  examples: [
    {
      command: 'poolctl metrics alerts -o poolctl-alerts.yml',
      meaning: 'as a file, for rule_files in prometheus.yml',
    },
    {
      command: 'poolctl metrics alerts --max-wait 5s --checkout-p99 100ms',
      meaning: 'your own limits',
    },
  ],
  async run(context) {
    const { utilization, checkoutP99, maxWait, connections } = context.options;
    const rules = alertRules({ utilization, checkoutMs: checkoutP99, maxWaitMs: maxWait, connections });
    await context.write(alertsYaml(rules));
    return ExitCode.Ok;
  },
});
