import type { PoolKind } from './kind.js';
import { pgPool } from './pg.js';

/** The kinds of pools that can be watched, the most particular first. */
export const POOL_KINDS: readonly PoolKind<object>[] = [pgPool as unknown as PoolKind<object>];
