import type { AuditOptions, AuditResult, DetailedAudit, Finding } from '../src/audit/types.js';
import { watchedAudit } from '../src/audit/watched.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { counted } from '../src/report/audit/words.js';
import { printable } from '../src/report/text.js';
import type { Context } from './audit-leaks-options.js';

/** A report, and the findings that it shows, named as in it. */
export interface Shown {
  readonly result: AuditResult;
  readonly text: string;
  /** Prints the warnings of the audit. */
  warn(): void;
}

/** Erases the screen and what was scrolled out of it, and begins at the top. */
const CLEAR = '\u001b[2J\u001b[3J\u001b[H';

/** Audits, and audits again whenever files change, until the user ends it. */
export async function watchAudit(
  context: Context,
  paths: readonly string[],
  settings: AuditOptions,
  show: (whole: DetailedAudit) => Promise<Shown>,
): Promise<ExitCode> {
  const { io, progress } = context;
  const { stop } = io.interrupts;
  const onProgress = (done: number, total: number) =>
    progress.update({
      label: 'auditing',
      share: total === 0 ? null : done / total,
      note: `${done}/${total} acquire calls`,
    });
  await using audit = watchedAudit(paths, { ...settings, onProgress }, io.clock);
  let before: readonly Finding[] | null = null;
  try {
    while (!stop.aborted) {
      const whole = await audit.result(stop);
      progress.clear();
      const { result, text, warn } = await show(whole);
      const changes = before === null ? [] : differences(before, result.findings);
      before = result.findings;
      const screen = io.stdout.isTty ? CLEAR : '';
      await context.write(`${screen}${text}`);
      warn();
      await context.write(`${[...changes, WAITING].join('\n')}\n`);
      await audit.change(stop);
    }
  } catch (error) {
    if (!stop.aborted || before === null) throw error;
  }
  return ExitCode.Ok;
}

const WAITING = 'watching for changes; Ctrl-C ends';

/** Lines for what is new and what is gone. A finding whose line moved is the same. */
function differences(before: readonly Finding[], after: readonly Finding[]): string[] {
  const [fresh, gone] = [without(after, before), without(before, after)];
  if (fresh.length + gone.length === 0) return ['no finding changed'];
  const lineOf = (mark: string, { file, line, message }: Finding) =>
    `${mark} ${printable(file)}:${line}  ${printable(message)}`;
  return [
    `${counted(fresh.length, 'new finding')}, ${gone.length === 0 ? 'none' : gone.length.toLocaleString('en')} gone`,
    ...fresh.map((one) => lineOf('+', one)),
    ...gone.map((one) => lineOf('-', one)),
    '',
  ];
}

function without(findings: readonly Finding[], others: readonly Finding[]): Finding[] {
  const left = new Map<string, number>();
  const keyOf = ({ file, fingerprint, kind, severity }: Finding) =>
    `${file} ${fingerprint} ${kind} ${severity}`;
  for (const one of others) left.set(keyOf(one), (left.get(keyOf(one)) ?? 0) + 1);
  return findings.filter((one) => {
    const count = left.get(keyOf(one)) ?? 0;
    left.set(keyOf(one), count - 1);
    return count <= 0;
  });
}
