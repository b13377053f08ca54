import { type Facts, NO_FACTS } from './facts.js';
import { currentOf, isOfDatabase, type LookContext, lookAt } from './look.js';
import { CAUSES } from './registry.js';
import { stepsOf } from './steps.js';
import type { Finding } from './types.js';
import { counted } from './words.js';

/** The diagnosis of all sources at one moment. */
export interface Diagnosis {
  /** `none`: there is nothing to judge. */
  readonly severity: 'good' | 'warn' | 'bad' | 'none';
  /** The id of the cause; null where nothing is wrong. */
  readonly cause: string | null;
  /** The key of the pool, pooler or server that it is about; null where it is about none. */
  readonly subject: string | null;
  /** The whole of it, for the first line of the screen. */
  readonly words: string;
  /** All causes that were found, the one that `words` tells first. */
  readonly findings: readonly Finding[];
}

/**
 * Names the cause of what suffers. Causes are tried from the one that makes others look like itself to the one that is
 * left; each judges only what no earlier one explains.
 */
export function diagnose(facts: Facts, context: LookContext): Diagnosis {
  const findings = findCauses(facts, context);
  const [worst] = findings;
  if (worst !== undefined) {
    const others = worst.severity === 'bad' ? othersThan(worst, findings) : 0;
    return {
      severity: worst.severity,
      cause: worst.cause,
      subject: worst.subject.key,
      words: others === 0 ? worst.words : `${worst.words}; ${others} more`,
      findings,
    };
  }
  const nothing = { cause: null, subject: null, findings } as const;
  if (isEmpty(facts)) {
    const words = facts.failures.length > 0 ? 'nothing can be read' : 'no reading yet';
    return { severity: 'none', words, ...nothing };
  }
  if (isEmpty(currentOf(facts)) && facts.failures.length === 0) {
    const { length } = facts.ended;
    const gone = `${counted(length, 'process has', 'processes have')} ended`;
    return { severity: 'none', words: `${gone}, and nothing else is read`, ...nothing };
  }
  return { severity: 'good', words: quiet(currentOf(facts)), ...nothing };
}

/** The diagnosis before the first reading. */
export const NOTHING_READ: Diagnosis = diagnose(NO_FACTS, { history: new Map(), cwd: '' });

/** All causes that fit, the most important first. */
export function findCauses(all: Facts, context: LookContext): readonly Finding[] {
  const facts = currentOf(all);
  const explained = new Set<string>();
  const found: Finding[] = [];
  CAUSES.forEach((cause) => {
    const before = new Set(explained);
    for (const one of cause.find(lookAt(facts, context, before))) {
      // If one cause affects two pools, both are reported. A server beside them is reported only if it adds
      // something.
      const known = one.severity === 'warn' ? explained : before;
      if (one.explains.every((key) => known.has(key))) continue;
      const repair = one.repair ?? cause.repair;
      found.push({
        cause: cause.id,
        title: cause.title,
        severity: one.severity,
        subject: one.subject,
        explains: one.explains,
        words: one.words,
        weight: one.weight ?? 1,
        evidence: one.evidence ?? [],
        ruledOut: one.ruledOut ?? [],
        confidence: one.confidence ?? 'certain',
        missing: one.missing ?? null,
        steps: stepsOf({ ...one, source: one.subject.source }, repair, facts),
        avoid: cause.avoid,
      });
      for (const key of one.explains) explained.add(key);
    }
  });
  return found
    .map((finding, at) => ({ finding, at }))
    .sort((one, other) => rankOf(other.finding) - rankOf(one.finding) || one.at - other.at)
    .map(({ finding }) => finding);
}

/** Affected pools come first; of two pools the one with more waiters; of two causes the one that is tried first. */
function rankOf({ severity, subject, weight }: Finding): number {
  const isWhole = subject.kind === 'server' || subject.kind === 'application';
  return (severity === 'bad' ? 1e9 : 0) + (isWhole ? 0 : weight);
}

/** A queue behind a pool, or a full server, is what the pool itself is already said to suffer from. */
function othersThan(worst: Finding, findings: readonly Finding[]): number {
  return findings.filter(
    ({ severity, subject, cause }) =>
      severity === 'bad' &&
      subject.key !== worst.subject.key &&
      (subject.kind === worst.subject.kind || cause !== worst.cause),
  ).length;
}

function isEmpty({ pools, backends, poolerPools, servers, poolers }: Facts): boolean {
  return pools.length + backends.length + poolerPools.length + servers.length + poolers.length === 0;
}

function quiet({ pools, backends, poolerPools, ended, failures }: Facts): string {
  const known = pools.flatMap(({ pool }) => pool.inUse ?? []);
  const inUse = known.reduce((sum, count) => sum + count, 0);
  const unknown = pools.length - known.length;
  const active = backends.filter(({ backend }) => backend.state === 'active').length;
  const waiting = pools.filter(isOfDatabase).reduce((sum, { pool }) => sum + (pool.waiting ?? 0), 0);
  const parts = [
    known.length > 0 ? `${counted(inUse, 'lease')} out of ${counted(known.length, 'pool')}` : null,
    unknown > 0 ? `leases of ${counted(unknown, 'pool')} not known` : null,
    poolerPools.length > 0 ? 'no client queues in the pooler' : null,
    backends.length > 0 ? `${active} of ${counted(backends.length, 'backend')} active` : null,
    failures.length > 0 ? `${counted(failures.length, 'source')} cannot be read` : null,
    ended.length > 0 ? `${counted(ended.length, 'process', 'processes')} ended` : null,
  ].filter((part) => part !== null);
  return `${waiting > 0 ? 'nothing waits for long' : 'nothing waits'}: ${parts.join(', ')}`;
}
