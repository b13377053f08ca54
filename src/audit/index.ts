/** The door for programs: `poolctl/audit`. */
export { audit } from './audit.js';
export { type Baseline, type BaselineEntry, baselineOf, parseBaseline, withoutBaseline } from './baseline.js';
export { type CustomResource, customResource } from './resources/custom.js';
export type {
  AcquirePattern,
  AuditOptions,
  AuditResult,
  AuditWarning,
  Confidence,
  ConstructorPattern,
  Finding,
  FunctionPattern,
  LeakKind,
  MethodPattern,
  Misuse,
  ResourceSpec,
  Rule,
  Severity,
  TrailStep,
} from './types.js';
