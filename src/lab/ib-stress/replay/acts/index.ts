import type { ReplayName } from '../../names.js';
import type { Act } from '../stage.js';
import { answers } from './answers.js';
import { orders } from './orders.js';
import { pacing } from './pacing.js';
import { pools } from './pool.js';
import { reconnects } from './reconnects.js';
import { requests } from './requests.js';
import { streams } from './streams.js';
import { supervisor } from './supervisor.js';

/** The acts of each scenario of this kind, in their order. */
export const ACTS: Readonly<Record<ReplayName, readonly Act[]>> = {
  'replay-requests': [...answers, ...requests, ...streams],
  'replay-pacing': pacing,
  'replay-connections': supervisor,
  'replay-pool': pools,
  'replay-orders': [...orders, ...reconnects],
};
