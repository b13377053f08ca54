/// <reference lib="esnext.disposable" preserve="true" />
/** The door `poolctl/http`: HTTP connections, pooled. */

export type {
  BreakerState,
  CloseReason,
  CountedPhase,
  HttpFigures,
  HttpSnapshot,
  OriginSnapshot,
  Protocol,
  RetryCause,
  StatusClass,
} from '../snapshot/http.js';
export type { BreakerOptions } from './breaker.js';
export type { HttpHeaders } from './connection.js';
export {
  CircuitOpenError,
  HttpError,
  type HttpErrorCode,
  HttpPoolTimeoutError,
  HttpStatusError,
  HttpTimeoutError,
  type PoolTimeoutFacts,
  type TimeoutPhase,
} from './errors.js';
export type { HttpEventName, HttpEvents } from './events.js';
export type { HealthCheckOptions } from './health-check.js';
export {
  createHttpPool,
  type HttpBody,
  HttpPool,
  type HttpRequestOptions,
  type HttpResponse,
} from './http-pool.js';
export { type HttpDispatch, type HttpInterceptor, interceptors } from './interceptors.js';
export { logHttpLifeCycle } from './life-cycle-log.js';
export {
  HTTP_PRESETS,
  type HttpPoolOptions,
  type HttpPreset,
  type HttpSettings,
  type HttpTimeouts,
  type TlsOptions,
} from './options.js';
export type { HttpProxy } from './proxy.js';
export type { RateLimit } from './rate-limit.js';
export type { RetryOptions, RetrySettings } from './retry.js';
export type { HttpTiming } from './stats.js';
