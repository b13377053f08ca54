/** The basic tests, in the order in which they run. */
export const BASIC_TESTS = ['sequential', 'parallel', 'stress'] as const;
export type BasicTest = (typeof BASIC_TESTS)[number];

/** The scenarios, in the order in which they are run. */
export const SCENARIO_NAMES = [
  'connect-storm',
  'client-cap',
  'id-collision',
  'id-reconnect',
  'drop-mid-request',
  'half-open',
  'silent-handshake',
  'slow-gateway',
  'nightly-reset',
  'auto-restart',
  'farm-flap',
  'message-pacing',
  'history-pacing',
  'request-timeout',
  'subscription-leak',
  'big-history',
  'bad-input',
  'shutdown',
  'order-life',
  'order-restart',
  'urgent-first',
  'fresh-history',
  'waiters-at-close',
  'listeners',
  'advisories',
  'shared-budget',
  'replay-requests',
  'replay-pacing',
  'replay-connections',
  'replay-pool',
  'replay-orders',
] as const;
export type ScenarioName = (typeof SCENARIO_NAMES)[number];
/** The scenarios that play scripts on a clock of their own, without a gateway. */
export type ReplayName = Extract<ScenarioName, `replay-${string}`>;
