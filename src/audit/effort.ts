import type { Body } from './code/scope.js';
import type { Exits, Program, Site } from './flow/types.js';
import { Walk } from './flow/walk.js';

/** How closely a lease is followed: fewer paths are told apart, then what is called is left out as well. */
const LEVELS = [{}, { isCoarse: true }, { isCoarse: true, follows: false }];
/** So many leases of one origin that had too many paths on a level: the others start on the next one. */
const PATIENCE = 3;
/** The steps for all leases of one function; for those that come later, only what follows the acquire call counts. */
const STEPS_OF_A_FUNCTION = 150_000;
/** The steps after which the others of that function stay undecided. */
const LAST_STEPS_OF_A_FUNCTION = 400_000;

/** A lease of an origin had too many paths on a level. */
export interface GivenUp {
  readonly origin: string;
  readonly level: number;
}

export interface Followed {
  readonly walk: Walk;
  readonly exits: Exits;
  readonly isExhausted: boolean;
  /** There were too many paths to tell all of them apart. */
  readonly isCoarse: boolean;
}

/**
 * Decides how closely each lease is followed. A factory in the middle of an application can have hundreds of calls,
 * all with the same paths behind them. If a number of steps was too much for some of its leases, it is not tried for
 * each of the others. The same applies to the leases of one function. The class counts steps, never time, so that a
 * run always gives the same answers.
 */
export class Effort {
  readonly #givenUp = new Map<string, number[]>();
  readonly #steps = new Map<Body, number>();
  #log: GivenUp[] = [];

  /** Returns the entries since the last call. */
  takeLog(): readonly GivenUp[] {
    const log = this.#log;
    this.#log = [];
    return log;
  }

  /** Counts what an earlier run gave up. */
  replay(log: readonly GivenUp[]): void {
    for (const { origin, level } of log) this.#giveUp(origin, level);
  }

  #giveUp(origin: string, level: number): void {
    const counts = this.#givenUp.get(origin) ?? LEVELS.map(() => 0);
    this.#givenUp.set(origin, counts);
    counts[level] = (counts[level] ?? 0) + 1;
  }

  follow(site: Site, program: Program, body: Body): Followed {
    const steps = this.#steps.get(body) ?? 0;
    const followed =
      steps < STEPS_OF_A_FUNCTION
        ? this.#followWhole(site, program, body)
        : followLocally(site, program, body, steps < LAST_STEPS_OF_A_FUNCTION);
    this.#steps.set(body, steps + followed.walk.steps);
    return followed;
  }

  #followWhole(site: Site, program: Program, body: Body): Followed {
    const { spec, pattern, via, arms } = site;
    // A library lends to everybody: there it is the function around the call that is too large.
    const isOfProject = via !== null || arms !== undefined;
    const origin = isOfProject ? `${spec.id} ${pattern.kind} ${pattern.name}` : program.idOf(body);
    const last = LEVELS.length - 1;
    for (let level = 0; ; level++) {
      if (level < last && (this.#givenUp.get(origin)?.[level] ?? 0) >= PATIENCE) continue;
      const walk = new Walk(program, site, LEVELS[level]);
      const exits = walk.run(body);
      const { isExhausted } = walk;
      if (!isExhausted || level === last) return { walk, exits, isExhausted, isCoarse: level > 0 };
      this.#giveUp(origin, level);
      this.#log.push({ origin, level });
    }
  }
}

function followLocally(site: Site, program: Program, body: Body, isTried: boolean): Followed {
  const walk = new Walk(program, site, { isCoarse: true, isLocal: true });
  const exits = isTried ? walk.run(body) : { returned: [], thrown: [] };
  return { walk, exits, isExhausted: !isTried || walk.isExhausted, isCoarse: true };
}
