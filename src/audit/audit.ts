import { Analyzer, detailed } from './analyzer.js';
import { type FoundFiles, findFiles } from './code/files.js';
import type { AuditOptions, AuditResult, DetailedAudit } from './types.js';

/** Audits the source files below `paths`. Throws only where a path is not there. */
export function audit(paths: readonly string[], options: AuditOptions): AuditResult {
  return auditInDetail(paths, options).result;
}

/** Audits, and says where the files lie and which of them each finding depends on. */
export function auditInDetail(paths: readonly string[], options: AuditOptions): DetailedAudit {
  const found = filesFor(paths, options);
  const analyzer = new Analyzer(options);
  return detailed(analyzer.run(analyzer.projectOf(found.files)), found);
}

/** The files that an audit reads. */
export function filesFor(paths: readonly string[], options: AuditOptions): FoundFiles {
  return findFiles(paths, options.cwd, {
    exclude: options.exclude ?? [],
    honourIgnoreFiles: options.honourIgnoreFiles ?? true,
  });
}
