import type { AuditResult } from '../audit/types.js';
import { maskData, maskSecrets, maskValues } from '../base/secrets.js';
import type { DoctorResult } from '../doctor/types.js';
import type { HealthReport } from '../health/check.js';
import type { IbStressResult } from '../lab/ib-stress/types.js';
import type { StressResult } from '../lab/ws-stress/types.js';
import type { BaselineResult } from '../loadtest/baseline.js';
import type { Comparison } from '../loadtest/compare.js';
import type { FeedLoadResult } from '../loadtest/feed/types.js';
import type { LoadResult } from '../loadtest/result.js';
import type { SweepResult } from '../loadtest/sweep.js';
import type { SetupDocument } from '../setup/types.js';
import type { SizeResult } from '../sizing/types.js';
import type { SarifOptions } from './audit/sarif.js';
import type { AdminResult } from './pgbouncer/admin.js';
import type { InitResult } from './pgbouncer/init.js';
import type { ShowResult } from './pgbouncer/show.js';
import type { RenderOptions } from './render-options.js';

/** Every report, with what its renderers take. */
interface Inputs {
  audit: [result: AuditResult, options: RenderOptions & SarifOptions];
  baseline: [result: BaselineResult, options: RenderOptions];
  compare: [comparison: Comparison, options: RenderOptions];
  doctor: [result: DoctorResult, options: RenderOptions];
  feedLoad: [result: FeedLoadResult, options: RenderOptions];
  health: [report: HealthReport, options: RenderOptions];
  healthLine: [report: HealthReport, options: RenderOptions];
  ibStress: [result: IbStressResult, options: RenderOptions];
  loadtest: [result: LoadResult, options: RenderOptions];
  pgbouncerAdmin: [result: AdminResult, options: RenderOptions];
  pgbouncerInit: [result: InitResult, options: RenderOptions];
  pgbouncerShow: [result: ShowResult, options: RenderOptions];
  setup: [document: SetupDocument, options: RenderOptions];
  size: [result: SizeResult, options: RenderOptions];
  sweep: [result: SweepResult, options: RenderOptions];
  wsStress: [result: StressResult, options: RenderOptions];
}

export type Report = keyof Inputs;
export type Format<R extends Report> = keyof (typeof REPORTS)[R] & string;
export type Renderer<R extends Report> = (...input: Inputs[R]) => string;
type Renderers = { readonly [R in Report]: Readonly<Record<string, () => Promise<Renderer<R>>>> };

const json = async () => (await import('./json.js')).renderJson;

/** The formats of every report; the first is the default. A renderer is loaded when it is used. */
const REPORTS = {
  audit: {
    text: async () => (await import('./audit/text.js')).renderText,
    json,
    sarif: async () => (await import('./audit/sarif.js')).renderSarif,
    github: async () => (await import('./audit/github.js')).renderGithub,
    gitlab: async () => (await import('./audit/gitlab.js')).renderGitlab,
    junit: async () => (await import('./audit/junit.js')).renderJunit,
    markdown: async () => (await import('./audit/markdown.js')).renderMarkdown,
  },
  baseline: {
    text: async () => (await import('./baseline/text.js')).renderText,
    json,
    markdown: async () => (await import('./baseline/markdown.js')).renderMarkdown,
  },
  compare: {
    text: async () => (await import('./compare/text.js')).renderText,
    json,
    markdown: async () => (await import('./compare/markdown.js')).renderMarkdown,
  },
  doctor: {
    text: async () => (await import('./doctor/text.js')).renderText,
    json,
    markdown: async () => (await import('./doctor/markdown.js')).renderMarkdown,
    junit: async () => (await import('./doctor/junit.js')).renderJunit,
  },
  feedLoad: {
    text: async () => (await import('./feed-load/text.js')).renderText,
    json,
  },
  health: {
    text: async () => (await import('./health/text.js')).renderText,
    json,
  },
  // One line per reading, for `--every`.
  healthLine: {
    text: async () => (await import('./health/text.js')).renderLines,
    json: async () => (await import('./json.js')).renderJsonLine,
  },
  ibStress: {
    text: async () => (await import('./ib-stress/text.js')).renderText,
    json,
    junit: async () => (await import('./ib-stress/junit.js')).renderJunit,
    markdown: async () => (await import('./ib-stress/markdown.js')).renderMarkdown,
  },
  loadtest: {
    text: async () => (await import('./loadtest/text.js')).renderText,
    json,
    markdown: async () => (await import('./loadtest/markdown.js')).renderMarkdown,
    html: async () => (await import('./loadtest/html.js')).renderHtml,
    junit: async () => (await import('./loadtest/junit.js')).renderJunit,
    csv: async () => (await import('./loadtest/csv.js')).renderCsv,
  },
  pgbouncerAdmin: {
    text: async () => (await import('./pgbouncer/admin.js')).renderText,
    json,
  },
  pgbouncerInit: {
    text: async () => (await import('./pgbouncer/init.js')).renderText,
    json,
  },
  pgbouncerShow: {
    text: async () => (await import('./pgbouncer/show.js')).renderText,
    json: async () => (await import('./pgbouncer/show.js')).renderJson,
  },
  setup: {
    text: async () => (await import('./setup/text.js')).renderText,
    json,
  },
  size: {
    text: async () => (await import('./size/text.js')).renderText,
    json,
    markdown: async () => (await import('./size/markdown.js')).renderMarkdown,
    html: async () => (await import('./size/html.js')).renderHtml,
    csv: async () => (await import('./size/csv.js')).renderCsv,
  },
  sweep: {
    text: async () => (await import('./sweep/text.js')).renderText,
    json,
    markdown: async () => (await import('./sweep/markdown.js')).renderMarkdown,
  },
  wsStress: {
    text: async () => (await import('./ws-stress/text.js')).renderText,
    json,
  },
} satisfies Renderers;

/** Reports whose texts are code, in which an assignment to a password is none, and repairs with passwords to be chosen. */
const QUOTES_CODE: readonly Report[] = ['audit', 'doctor', 'pgbouncerInit'];

/** The formats of a report; the first is the default. */
export function formatsOf<R extends Report>(report: R): readonly [Format<R>, ...Format<R>[]] {
  return Object.keys(REPORTS[report]) as [Format<R>, ...Format<R>[]];
}

export function isFormatOf<R extends Report>(report: R, format: string): format is Format<R> {
  return Object.hasOwn(REPORTS[report], format);
}

export async function rendererOf<R extends Report>(report: R, format: Format<R>): Promise<Renderer<R>> {
  const renderers: Renderers = REPORTS;
  const load = renderers[report][format];
  if (load === undefined) throw new RangeError(`the report '${report}' has no format '${format}'`);
  const render = await load();
  // A renderer breaks lines and escapes signs: after that a secret in a server's message could not be recognized.
  const mask = QUOTES_CODE.includes(report) ? maskValues : maskSecrets;
  return (...[result, ...rest]: Inputs[R]) => render(...([maskData(result, mask), ...rest] as Inputs[R]));
}

/** The text of a report. */
export async function renderReport<R extends Report>(
  report: R,
  format: NoInfer<Format<R>>,
  ...input: Inputs[R]
): Promise<string> {
  return (await rendererOf(report, format))(...input);
}
