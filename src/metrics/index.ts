/** The door `poolctl/metrics`: pools of an application in its own registry of prom-client, without a process beside it. */
export { type AlertLimits, type AlertRule, alertRules, alertsYaml } from './alerts.js';
export { type CollectOptions, collectPoolMetrics, type Measurable, type MetricsRegistry } from './collect.js';
export { dashboard } from './dashboard.js';
export type { PoolFigures } from './metered-pool.js';
export type { Compat } from './metric.js';
