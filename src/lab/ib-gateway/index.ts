export type { GatewayCounts } from './census.js';
export { type Control, startControl } from './control.js';
export { type ControlClient, connectControl, type GatewayInfo } from './control-client.js';
export { GatewayError, type GatewayErrorCode } from './errors.js';
export { type Fault, type PlannedFault, toFault, toFaultPlan } from './faults.js';
export { type Gateway, startGateway } from './gateway.js';
export type { GatewayOptions } from './options.js';
export { HISTORY_LIMITS, type HistoryLimits } from './pacing.js';
export type { RequestName } from './wire/request-types.js';
