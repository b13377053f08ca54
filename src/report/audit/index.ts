import type { AuditResult } from '../../audit/types.js';
import { renderJson } from '../json.js';
import type { RenderOptions } from '../render-options.js';
import { renderGithub } from './github.js';
import { renderJunit } from './junit.js';
import { renderMarkdown } from './markdown.js';
import { renderSarif } from './sarif.js';
import { renderText } from './text.js';

export type AuditReport = (
  result: AuditResult,
  options: RenderOptions & { readonly version: string },
) => string;

/** The formats of an audit's report; the first is the default. */
export const AUDIT_FORMATS = ['text', 'json', 'sarif', 'github', 'junit', 'markdown'] as const;
export type AuditFormat = (typeof AUDIT_FORMATS)[number];

export const auditReports: Readonly<Record<AuditFormat, AuditReport>> = {
  text: renderText,
  json: renderJson,
  sarif: renderSarif,
  github: renderGithub,
  junit: renderJunit,
  markdown: renderMarkdown,
};
