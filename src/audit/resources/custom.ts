import type { AcquirePattern, ResourceSpec } from '../types.js';

/** A lease that only its users know, as they say it: `{ acquire: ['openSession'], release: ['close'] }`. */
export interface CustomResource {
  /** In findings; without, `custom`. */
  readonly id?: string;
  /** The name of the resource in messages: `a session of ours`. */
  readonly title?: string;
  /** Functions and methods that lend it; a class with `new` in front: `new PrismaClient`. */
  readonly acquire: readonly string[];
  /** Methods of it that end the lease, and functions and methods that do so with it as an argument. */
  readonly release: readonly string[];
  /** The same, for what takes the lease over, and releases it at some later time. */
  readonly handoff?: readonly string[];
  /** Methods of it before which it holds nothing: `$connect`. Without, it holds something at once. */
  readonly armedBy?: readonly string[];
  /** The modules that lend it, as they are imported; without, the names count wherever they come from. */
  readonly from?: readonly string[];
}

export function customResource(given: CustomResource): ResourceSpec {
  const { acquire, release, handoff = [], from = [], armedBy = [] } = given;
  return {
    id: given.id ?? 'custom',
    title: given.title ?? `what ${acquire.map((name) => `${name}()`).join(' or ')} lends`,
    acquire: acquire.flatMap((name) => patternsOf(name, from, armedBy)),
    isPersonal: true,
    release: { methods: release, takes: release, ofParent: [] },
    handoff,
    protocol: [],
    docs: { why: '', leaks: '', fixed: '', exceptions: '' },
  };
}

function patternsOf(name: string, from: readonly string[], armedBy: readonly string[]): AcquirePattern[] {
  const arms = armedBy.length === 0 ? {} : { armedBy };
  const constructed = CONSTRUCTOR.exec(name)?.[1];
  if (constructed !== undefined)
    return [{ kind: 'new', name: constructed, from: from.length === 0 ? ['*'] : from, ...arms }];
  if (from.length === 0)
    return [
      { kind: 'function', name, from: ['*'], ...arms },
      { kind: 'method', name, on: ['*'], named: /./, ...arms },
    ];
  return [
    { kind: 'function', name, from, ...arms },
    { kind: 'method', name, on: from.map((module) => `${module}#*`), ...arms },
  ];
}

const CONSTRUCTOR = /^new\s+([A-Za-z_$][\w$]*)$/;
const KEYS = ['id', 'title', 'acquire', 'release', 'handoff', 'armedBy', 'from'];
const NAME = /^[A-Za-z_$][\w$]*$/;

/** Reads one from a config file; a text says what is wrong with it. */
export function readCustomResource(value: unknown): CustomResource | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return 'an object with acquire and release is expected';
  const given = value as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(given).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) return `there is no '${unknown}', only ${KEYS.join(', ')}`;
  for (const key of ['id', 'title']) {
    if (given[key] !== undefined && (typeof given[key] !== 'string' || given[key] === ''))
      return `${key}: a text is expected`;
  }
  const lists: Record<string, readonly string[]> = {};
  for (const key of ['acquire', 'release', 'handoff', 'armedBy', 'from']) {
    const entries: readonly unknown[] = [given[key] ?? []].flat();
    const isName = (one: string) =>
      key === 'from' || NAME.test(one) || (key === 'acquire' && CONSTRUCTOR.test(one));
    const wrong = entries.find((one) => typeof one !== 'string' || !isName(one));
    if (wrong !== undefined)
      return `${key}: ${JSON.stringify(wrong)} is not the name of a function or method`;
    lists[key] = entries as readonly string[];
  }
  const { acquire = [], release = [], handoff = [], armedBy = [], from = [] } = lists;
  if (acquire.length === 0 || release.length === 0) return 'acquire and release go together';
  const { id, title } = given as { readonly id?: string; readonly title?: string };
  return {
    acquire,
    release,
    handoff,
    armedBy,
    from,
    ...(id === undefined ? {} : { id }),
    ...(title === undefined ? {} : { title }),
  };
}
