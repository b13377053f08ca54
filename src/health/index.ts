/** The library door of the health check: `import { healthOf } from 'poolctl/health'`. */
export {
  HEALTH_LIMITS,
  type HealthFigures,
  type HealthLimits,
  type HealthOptions,
  type HealthStatus,
  healthOf,
  type Limit,
  type PoolHealth,
  worstStatus,
} from './health.js';
