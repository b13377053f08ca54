import { brokerLink, brokerPacing, brokerPoolTooSmall } from './causes/broker.js';
import { CONNECTING } from './causes/connecting.js';
import { statementsFail } from './causes/failing-statements.js';
import { fanOut } from './causes/fan-out.js';
import { halfOpen, heldThroughOtherWork, leak, leftRunning, listenTakesAPlace } from './causes/leases.js';
import {
  databaseLimit,
  fleetExceedsServer,
  roleLimit,
  serverlessFanOut,
  serverNearlyFull,
} from './causes/limits.js';
import {
  advisoryHeld,
  advisoryThroughPooler,
  ddlQueue,
  leakedLock,
  lockChain,
  lockRing,
  preparedTransaction,
  serverProcessBlocks,
  wraparoundVacuum,
} from './causes/locks.js';
import { idleConnectionsCut, openTransactionsCut } from './causes/lost.js';
import {
  connectionChurn,
  goneConnections,
  limitNotInForce,
  poolMadeTwice,
  poolPerReload,
  poolPerRequest,
  probesUsePool,
  secondPool,
  zombies,
} from './causes/numbers.js';
import {
  authQueryBroken,
  authSecretMismatch,
  poolerClientsFull,
  poolerConnectionsReset,
  poolerDatabaseCap,
  poolerPaused,
  poolerRecycles,
  serverLoginRetry,
  sessionModeBehindPool,
  staleAddress,
  wrongPassword,
} from './causes/pooler.js';
import {
  blockedLoop,
  clockStep,
  closedPool,
  frozenProcess,
  nestedAcquire,
  silentProcess,
} from './causes/process.js';
import {
  listenThroughPooler,
  poolerOnOldServer,
  proxyPins,
  sessionStateThroughPooler,
} from './causes/sessions.js';
import {
  acquireLimitNone,
  limitSwallowed,
  poolerPoolTooSmall,
  poolTooSmall,
  queuedInPooler,
  unclear,
} from './causes/sizes.js';
import { LATE_ERRORS, readOnlyServer, STATEMENT_ERRORS } from './causes/statement-errors.js';
import {
  abandonedLock,
  abandonedSession,
  poisonedConnection,
  poolerVictim,
  remoteCall,
  transactionLeftOpen,
} from './causes/transactions.js';
import { connectsUnanswered } from './causes/unanswered.js';
import {
  clientReads,
  cpuSaturated,
  foreignServer,
  ioSaturated,
  jobsStarveRequests,
  lwlocks,
  slowQuery,
  slowSeenByApplication,
  syncStandby,
} from './causes/waits.js';
import type { Cause } from './types.js';

/**
 * All causes, in the order in which they are tried: a cause that makes others look like itself comes first. What a
 * cause explains, later ones do not judge again.
 */
export const CAUSES: readonly Cause[] = [
  // Whether the observation is sound, and the process itself.
  clockStep,
  frozenProcess,
  blockedLoop,
  silentProcess,
  closedPool,
  nestedAcquire,
  brokerLink,
  brokerPacing,
  // Pools that one process makes again and again run into every limit below.
  poolPerRequest,
  poolPerReload,
  // Whether connections can be opened, by whose words the failure is in.
  roleLimit,
  databaseLimit,
  serverlessFanOut,
  fleetExceedsServer,
  poolerClientsFull,
  ...CONNECTING,
  staleAddress,
  // Whether the pooler can serve.
  authQueryBroken,
  authSecretMismatch,
  wrongPassword,
  poolerPaused,
  serverLoginRetry,
  poolerConnectionsReset,
  sessionModeBehindPool,
  poolerDatabaseCap,
  // Statements that fail, by the code of their error.
  poisonedConnection,
  poolerOnOldServer,
  openTransactionsCut,
  ...STATEMENT_ERRORS,
  readOnlyServer,
  // Causes that follow from the work of the backends behind the leases and servers.
  preparedTransaction,
  wraparoundVacuum,
  serverProcessBlocks,
  advisoryThroughPooler,
  advisoryHeld,
  ddlQueue,
  clientReads,
  syncStandby,
  lockRing,
  abandonedLock,
  leakedLock,
  lockChain,
  limitSwallowed,
  halfOpen,
  leftRunning,
  abandonedSession,
  poolerVictim,
  transactionLeftOpen,
  listenTakesAPlace,
  leak,
  brokerPoolTooSmall,
  remoteCall,
  heldThroughOtherWork,
  lwlocks,
  ioSaturated,
  foreignServer,
  jobsStarveRequests,
  cpuSaturated,
  slowQuery,
  slowSeenByApplication,
  goneConnections,
  // Numbers.
  limitNotInForce,
  fanOut,
  poolMadeTwice,
  secondPool,
  statementsFail,
  idleConnectionsCut,
  connectionChurn,
  zombies,
  poolerRecycles,
  listenThroughPooler,
  sessionStateThroughPooler,
  proxyPins,
  probesUsePool,
  serverNearlyFull,
  ...LATE_ERRORS,
  // Only then: too small.
  queuedInPooler,
  poolerPoolTooSmall,
  poolTooSmall,
  connectsUnanswered,
  unclear,
  acquireLimitNone,
];
