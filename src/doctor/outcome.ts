import { sqlName } from './sql-text.js';
import type {
  Check,
  CheckContext,
  Fix,
  FixStep,
  Outcome,
  Part,
  PgBouncerTarget,
  PostgresTarget,
  Targets,
} from './types.js';
import { Unknowable } from './unknowable.js';

/** The value that was read. Throws an Unknowable if it was not read. */
export function known<T>(part: Part<T>): T {
  if (part instanceof Unknowable) throw part;
  return part.value;
}

/** The same, or null: for what a check can do without. */
export function knownOrNull<T>(part: Part<T>): T | null {
  return part instanceof Unknowable ? null : part.value;
}

export type Finding = Omit<Outcome, 'subjects'>;

export function pass(summary: string, evidence: readonly string[] = []): Finding {
  return { status: 'pass', summary, evidence, fix: null };
}

export function warn(summary: string, evidence: readonly string[], fix: Fix): Finding {
  return { status: 'warn', summary, evidence, fix };
}

export function fail(summary: string, evidence: readonly string[], fix: Fix): Finding {
  return { status: 'fail', summary, evidence, fix };
}

export function skip(reason: string): Finding {
  return { status: 'skipped', summary: reason, evidence: [], fix: null };
}

export function about(subjects: readonly { readonly label: string }[], finding: Finding): Outcome {
  return { ...finding, subjects: subjects.map(({ label }) => label) };
}

type ListedKind = Exclude<keyof Targets, 'settings' | 'unreadable' | 'diagnosis'>;

/** The `run` of a check that judges each target of one kind alone. */
export function forEach<Kind extends ListedKind>(
  kind: Kind,
  judge: (target: Targets[Kind][number], context: CheckContext) => Finding | Promise<Finding>,
): Check['run'] {
  return (context) => {
    const targets: readonly Targets[Kind][number][] = context.targets[kind];
    return Promise.all(
      targets.map(async (target) => about([target], await judged(() => judge(target, context)))),
    );
  };
}

/** The finding, or the reason why it cannot be known. */
export async function judged(judge: () => Finding | Promise<Finding>): Promise<Finding> {
  try {
    return await judge();
  } catch (error) {
    if (error instanceof Unknowable) return skip(error.message);
    throw error;
  }
}

/** The parts of a database target that name where, and by which role, to repair it. SQLite has no roles. */
type Place = Pick<PostgresTarget, 'label'> & Partial<Pick<PostgresTarget, 'isSuperuser'>>;

/**
 * The steps that change a setting of the whole PostgreSQL server, whatever has set it: what stands for a role or a
 * database wins over what stands for the server, and a flag of the server's over all files.
 */
export function alterSystem(
  at: Place & Pick<PostgresTarget, 'settings' | 'overrides'>,
  settings: Readonly<Record<string, string>>,
): readonly FixStep[] {
  const entries = Object.entries(settings);
  const isFlag = (name: string): boolean => at.settings.get(name)?.source === 'command line';
  const own = entries.filter(([name]) => /user|database/.test(at.settings.get(name)?.source ?? ''));
  const inFiles = entries.filter(([name]) => !isFlag(name));
  const needsRestart = inFiles.some(([name]) => at.settings.get(name)?.context === 'postmaster');
  return [
    ...entries
      .filter(([name]) => isFlag(name))
      .map(([name, value]) =>
        codeStep(
          `${name} is a flag of the server, which no file overrides: start it with -c ${name}=${value}`,
          at,
        ),
      ),
    ...own.flatMap(([name]) => resets(at, name)),
    ...inFiles.map(([name, value]) => sqlStep(at, `ALTER SYSTEM SET ${name} = '${value}'`)),
    ...(inFiles.length === 0
      ? []
      : [
          needsRestart
            ? ({ kind: 'restart', at: at.label, text: 'systemctl restart postgresql' } as const)
            : sqlStep(at, 'SELECT pg_reload_conf()'),
        ]),
  ];
}

function resets(at: Place & Pick<PostgresTarget, 'overrides'>, name: string): readonly FixStep[] {
  return (knownOrNull(at.overrides) ?? [])
    .filter((one) => one.name === name)
    .map(({ database, role }) => {
      const of = database === null ? '' : ` IN DATABASE ${sqlName(database)}`;
      const whose = role === null ? `DATABASE ${sqlName(database ?? '')}` : `ROLE ${sqlName(role)}${of}`;
      return sqlStep(at, `ALTER ${role === null && database === null ? 'ROLE ALL' : whose} RESET ${name}`);
    });
}

export function sqlStep({ label, isSuperuser }: Place, text: string): FixStep {
  return { kind: 'sql', at: label, ...(isSuperuser === false ? { as: 'a superuser' } : {}), text };
}

/** The steps that change lines of pgbouncer.ini, and have them read. */
export function changeIni(
  target: Pick<PgBouncerTarget, 'label' | 'user' | 'config'>,
  lines: Readonly<Record<string, string | number>>,
): readonly FixStep[] {
  return [
    ...Object.entries(lines).map(
      ([key, value]): FixStep => ({ kind: 'ini', at: target.label, text: `${key} = ${value}`.trimEnd() }),
    ),
    consoleStep(target, 'RELOAD'),
  ];
}

/** A command that changes something is for administrators alone; those in stats_users may only look on. */
export function consoleStep(
  { label, user, config }: Pick<PgBouncerTarget, 'label' | 'user' | 'config'>,
  text: string,
): FixStep {
  const admins = (knownOrNull(config)?.get('admin_users') ?? '').split(/[,\s]+/);
  return { kind: 'console', at: label, ...(admins.includes(user) ? {} : { as: 'one of admin_users' }), text };
}

export function envStep(text: string): FixStep {
  return { kind: 'env', at: null, text };
}

/** For people; in the application, unless it says where. */
export function codeStep(text: string, at: { readonly label: string } | null = null): FixStep {
  return { kind: 'code', at: at?.label ?? null, text };
}
