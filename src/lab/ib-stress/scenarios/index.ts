import { SCENARIO_NAMES, type ScenarioName } from '../names.js';
import { autoRestart, badInput, dropMidRequest, halfOpen, shutdown } from './breaks.js';
import { clientCap, connectStorm, idCollision, idReconnect, silentHandshake } from './connect.js';
import { orderLife, orderRestart } from './orders.js';
import { historyPacing, messagePacing, sharedBudget } from './pacing.js';
import { advisories, freshHistory, listeners, urgentFirst, waitersAtClose } from './promises.js';
import { replays } from './replays.js';
import { bigHistory, requestTimeout, slowGateway } from './requests.js';
import type { Scenario } from './scenario.js';
import { subscriptionLeak } from './subscriptions.js';
import { farmFlap, nightlyReset } from './upstream.js';

const byName: Readonly<Record<ScenarioName, Scenario>> = {
  'connect-storm': connectStorm,
  'client-cap': clientCap,
  'id-collision': idCollision,
  'id-reconnect': idReconnect,
  'drop-mid-request': dropMidRequest,
  'half-open': halfOpen,
  'silent-handshake': silentHandshake,
  'slow-gateway': slowGateway,
  'nightly-reset': nightlyReset,
  'auto-restart': autoRestart,
  'farm-flap': farmFlap,
  'message-pacing': messagePacing,
  'history-pacing': historyPacing,
  'request-timeout': requestTimeout,
  'subscription-leak': subscriptionLeak,
  'big-history': bigHistory,
  'bad-input': badInput,
  shutdown,
  'order-life': orderLife,
  'order-restart': orderRestart,
  'urgent-first': urgentFirst,
  'fresh-history': freshHistory,
  'waiters-at-close': waitersAtClose,
  listeners,
  advisories,
  'shared-budget': sharedBudget,
  ...replays,
};

/** All scenarios, in their order. */
export const SCENARIOS: readonly Scenario[] = SCENARIO_NAMES.map((name) => byName[name]);
