/** The door for programs: `poolctl/doctor`. */
export { type DoctorRequest, doctor } from './doctor.js';
export { CHECKS } from './registry.js';
export type {
  AppSettings,
  Check,
  CheckResult,
  DoctorResult,
  ExaminedTarget,
  Fix,
  FixKind,
  FixStep,
  Outcome,
  Problem,
  Status,
  TargetKind,
} from './types.js';
