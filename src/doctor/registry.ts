import { idleTransactionTimeout } from './checks/idle-transaction-timeout.js';
import type { Check } from './types.js';

/** All checks, in the order of the report. */
export const CHECKS: readonly Check[] = [
  // PostgreSQL.
  idleTransactionTimeout,
];
