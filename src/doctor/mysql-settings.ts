import { codeStep } from './outcome.js';
import type { FixStep, MysqlTarget } from './types.js';
import { Unknowable } from './unknowable.js';

export function variableOf({ variables, version }: MysqlTarget, name: string): string {
  const value = variables.get(name);
  if (value === undefined) throw new Unknowable(`the server ${version} has no ${name}, or does not show it`);
  return value;
}

export function variableNumber(target: MysqlTarget, name: string): number {
  const value = Number(variableOf(target, name));
  if (!Number.isFinite(value)) throw new Unknowable(`${name} is no number`);
  return value;
}

export function statusNumber({ status, version }: MysqlTarget, name: string): number {
  const value = status.get(name.toLowerCase());
  if (value === undefined) throw new Unknowable(`the server ${version} does not count ${name}`);
  return value;
}

/** A line of evidence: `wait_timeout = 28800`. */
export function variableText(target: MysqlTarget, name: string): string {
  return `${name} = ${variableOf(target, name)}`;
}

export function statusText(target: MysqlTarget, name: string): string {
  return `${name}: ${statusNumber(target, name)}`;
}

export function mysqlStep({ label, isAdministrator }: MysqlTarget, text: string): FixStep {
  return { kind: 'sql', at: label, ...(isAdministrator ? {} : { as: 'an administrator' }), text };
}

/** The steps that change a global variable, and keep it over a restart. */
export function setGlobal(target: MysqlTarget, name: string, value: number | string): readonly FixStep[] {
  // MySQL 8 writes what is set so into a file of its own.
  if (!target.isMariaDb && Number.parseInt(target.version, 10) >= 8)
    return [mysqlStep(target, `SET PERSIST ${name} = ${value}`)];
  return [
    mysqlStep(target, `SET GLOBAL ${name} = ${value}`),
    codeStep(
      `write ${name} = ${value} under [mysqld] in the configuration of the server, for its next start`,
      target,
    ),
  ];
}

/** Has the counters begin anew. From MariaDB 11.5 on plain FLUSH STATUS is about the session alone. */
export function flushStep(target: MysqlTarget): FixStep {
  const [, major = 0, minor = 0] = /^(\d+)\.(\d+)/.exec(target.version) ?? [];
  const isNew = target.isMariaDb && Number(major) * 100 + Number(minor) >= 1105;
  return mysqlStep(target, isNew ? 'FLUSH GLOBAL STATUS' : 'FLUSH STATUS');
}

/** The risk of SET GLOBAL in general. */
export const NEW_SESSIONS = 'The setting applies to new connections: pools must replace theirs.';
