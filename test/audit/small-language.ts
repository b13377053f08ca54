import fc from 'fast-check';

/** A statement of the language that the analyzer is compared on. `flag` is a parameter that never changes. */
export type Statement =
  | { readonly kind: 'acquire' | 'release' | 'guardedRelease' | 'forget' | 'work' | 'return' | 'throw' }
  | { readonly kind: 'break' | 'continue' }
  | { readonly kind: 'owns'; readonly value: boolean }
  | { readonly kind: 'if'; readonly condition: Condition; readonly body: Block; readonly otherwise: Block }
  | { readonly kind: 'loop'; readonly body: Block }
  | {
      readonly kind: 'try';
      readonly body: Block;
      readonly handler: Block | null;
      readonly finish: Block | null;
    };

type Condition = 'flag' | 'other' | 'owns' | 'client';
export type Block = readonly Statement[];

/** Functions of the language, small enough that all their paths can be gone. */
export const functions: fc.Arbitrary<Block> = fc.letrec<{ block: Block; statement: Statement }>((tie) => ({
  block: fc.array(tie('statement'), { maxLength: 4, depthIdentifier: 'block' }),
  statement: fc.oneof(
    { depthSize: 'small', withCrossShrink: true, maxDepth: 4, depthIdentifier: 'block' },
    { weight: 3, arbitrary: fc.constant<Statement>({ kind: 'acquire' }) },
    { weight: 4, arbitrary: fc.constant<Statement>({ kind: 'release' }) },
    { weight: 4, arbitrary: fc.constant<Statement>({ kind: 'work' }) },
    { weight: 2, arbitrary: fc.constant<Statement>({ kind: 'guardedRelease' }) },
    ...(['forget', 'return', 'throw', 'break', 'continue'] as const).map((kind) => ({
      weight: 1,
      arbitrary: fc.constant<Statement>({ kind }),
    })),
    { weight: 2, arbitrary: fc.boolean().map((value): Statement => ({ kind: 'owns', value })) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('if' as const),
        condition: fc.constantFrom<Condition>('flag', 'other', 'owns', 'client'),
        body: tie('block'),
        otherwise: tie('block'),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('loop' as const), body: tie('block') }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('try' as const),
        body: tie('block'),
        handler: fc.option(tie('block')),
        finish: fc.option(tie('block')),
      }),
    },
  ),
})).block;

/** The function as TypeScript, and the lines that its acquire calls stand on, in order. */
export function print(body: Block): { readonly code: string; readonly acquires: readonly number[] } {
  const lines = [
    "import { Pool } from 'pg';",
    'declare function work(client: unknown): Promise<void>;',
    'const more = () => Math.random() < 0.5;',
    'const pool = new Pool();',
    'export async function subject(flag: boolean, other: boolean) {',
    '  let client: Awaited<ReturnType<typeof pool.connect>> | undefined;',
    '  let owns = false;',
  ];
  const acquires: number[] = [];
  const block = (statements: Block, depth: number, inLoop: boolean): void => {
    const put = (text: string) => lines.push('  '.repeat(depth) + text);
    for (const one of statements) {
      switch (one.kind) {
        case 'acquire':
          put('client = await pool.connect();');
          acquires.push(lines.length);
          break;
        case 'release':
          put('client?.release();');
          break;
        case 'guardedRelease':
          put('if (client) client.release();');
          break;
        case 'forget':
          put('client = undefined;');
          break;
        case 'work':
          put('await work(client);');
          break;
        case 'return':
          put('return;');
          break;
        case 'throw':
          put("throw new Error('no');");
          break;
        case 'break':
        case 'continue':
          if (inLoop) put(`${one.kind};`);
          break;
        case 'owns':
          put(`owns = ${one.value};`);
          break;
        case 'if':
          put(`if (${one.condition}) {`);
          block(one.body, depth + 1, inLoop);
          put('} else {');
          block(one.otherwise, depth + 1, inLoop);
          put('}');
          break;
        case 'loop':
          put('while (more()) {');
          block(one.body, depth + 1, true);
          put('}');
          break;
        case 'try':
          put('try {');
          block(one.body, depth + 1, inLoop);
          if (one.handler !== null) {
            put('} catch {');
            block(one.handler, depth + 1, inLoop);
          }
          if (one.finish !== null || one.handler === null) {
            put('} finally {');
            block(one.finish ?? [], depth + 1, inLoop);
          }
          put('}');
          break;
      }
    }
  };
  block(body, 1, false);
  lines.push('}', '');
  return { code: lines.join('\n'), acquires };
}

/**
 * Goes every path of a function, with at most three rounds of a loop, and tells which acquire calls (by their number
 * in the text) have a lease that is never released on some path. Null where the paths are too many.
 */
export function leaksOf(body: Block, mostPaths = 20_000): ReadonlySet<number> | null {
  const numbers = new Map<Statement, number>();
  number(body, numbers);
  const leaks = new Set<number>();
  let choices: boolean[] = [];
  for (let paths = 0; ; paths++) {
    if (paths > mostPaths) return null;
    const run = new Run(choices, numbers);
    for (const site of run.go(body)) leaks.add(site);
    // The next path: the last choice that was `no` becomes `yes`.
    choices = run.taken;
    while (choices.at(-1) === true) choices.pop();
    if (choices.length === 0) return leaks;
    choices[choices.length - 1] = true;
  }
}

function number(block: Block, into: Map<Statement, number>, next = { number: 0 }): void {
  for (const one of block) {
    if (one.kind === 'acquire') into.set(one, next.number++);
    if (one.kind === 'if') for (const part of [one.body, one.otherwise]) number(part, into, next);
    if (one.kind === 'loop') number(one.body, into, next);
    if (one.kind === 'try') {
      for (const part of [one.body, one.handler, one.finish]) if (part !== null) number(part, into, next);
    }
  }
}

type Outcome = 'normal' | 'return' | 'throw' | 'break' | 'continue';

interface Lease {
  readonly site: number;
  released: boolean;
  /** Another acquire failed while it was out: what gets lost by that alone is no ordinary leak. */
  unlikely: boolean;
}

/** One path, by the choices that are given; what is not given is `no`. */
class Run {
  readonly taken: boolean[] = [];
  readonly #given: readonly boolean[];
  readonly #numbers: ReadonlyMap<Statement, number>;
  readonly #leases: Lease[] = [];
  readonly #flags = new Map<Condition, boolean>();
  #client: Lease | undefined;
  #owns = false;
  #depth = 0;

  constructor(given: readonly boolean[], numbers: ReadonlyMap<Statement, number>) {
    this.#given = given;
    this.#numbers = numbers;
  }

  /** The numbers of the acquire calls whose leases are still out. */
  go(body: Block): number[] {
    this.#block(body);
    return this.#leases.filter(({ released, unlikely }) => !released && !unlikely).map(({ site }) => site);
  }

  #choose(): boolean {
    const choice = this.#given[this.taken.length] ?? false;
    this.taken.push(choice);
    return choice;
  }

  #block(block: Block): Outcome {
    for (const one of block) {
      const outcome = this.#statement(one);
      if (outcome !== 'normal') return outcome;
    }
    return 'normal';
  }

  #statement(one: Statement): Outcome {
    switch (one.kind) {
      case 'acquire': {
        if (this.#choose()) {
          for (const lease of this.#leases) lease.unlikely = true;
          return 'throw';
        }
        // The same statement may occur twice in a generated tree, so the number is by its first place.
        this.#client = { site: this.#numbers.get(one) ?? -1, released: false, unlikely: false };
        this.#leases.push(this.#client);
        return 'normal';
      }
      case 'release':
      case 'guardedRelease':
        if (this.#client !== undefined) this.#client.released = true;
        return 'normal';
      case 'forget':
        this.#client = undefined;
        return 'normal';
      case 'work':
        return this.#choose() ? 'throw' : 'normal';
      case 'return':
      case 'throw':
        return one.kind;
      case 'break':
      case 'continue':
        return this.#depth > 0 ? one.kind : 'normal';
      case 'owns':
        this.#owns = one.value;
        return 'normal';
      case 'if':
        return this.#block(this.#holds(one.condition) ? one.body : one.otherwise);
      case 'loop':
        return this.#loop(one.body);
      case 'try':
        return this.#try(one);
    }
  }

  #holds(condition: Condition): boolean {
    if (condition === 'client') return this.#client !== undefined;
    if (condition === 'owns') return this.#owns;
    const known = this.#flags.get(condition) ?? this.#choose();
    this.#flags.set(condition, known);
    return known;
  }

  #loop(body: Block): Outcome {
    this.#depth++;
    let outcome: Outcome = 'normal';
    for (let round = 0; round < 3 && this.#choose(); round++) {
      outcome = this.#block(body);
      if (outcome !== 'normal' && outcome !== 'continue') break;
    }
    this.#depth--;
    return outcome === 'return' || outcome === 'throw' ? outcome : 'normal';
  }

  #try({ body, handler, finish }: Extract<Statement, { kind: 'try' }>): Outcome {
    let outcome = this.#block(body);
    if (outcome === 'throw' && handler !== null) outcome = this.#block(handler);
    const last = this.#block(finish ?? []);
    return last === 'normal' ? outcome : last;
  }
}
