import type { ReplayName } from '../../names.js';
import type { Act } from '../stage.js';
import { answers } from './answers.js';
import { orderEdges } from './order-edges.js';
import { orderEndings } from './order-endings.js';
import { orderRules } from './order-rules.js';
import { orderStorms } from './order-storms.js';
import { orders } from './orders.js';
import { pacing } from './pacing.js';
import { pacingStorms } from './pacing-storms.js';
import { pools } from './pool.js';
import { poolStorms } from './pool-storms.js';
import { reconnects } from './reconnects.js';
import { requestEdges } from './request-edges.js';
import { requests } from './requests.js';
import { streams } from './streams.js';
import { supervisor } from './supervisor.js';
import { waits } from './waits.js';

/** The acts of each scenario of this kind, in their order. */
export const ACTS: Readonly<Record<ReplayName, readonly Act[]>> = {
  'replay-requests': [...answers, ...requests, ...requestEdges, ...streams],
  'replay-pacing': [...pacing, ...pacingStorms],
  'replay-connections': [...supervisor, ...waits],
  'replay-pool': [...pools, ...poolStorms],
  'replay-orders': [...orders, ...orderRules, ...orderEdges, ...orderEndings, ...reconnects, ...orderStorms],
};
