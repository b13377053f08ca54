import type { Body } from './code/scope.js';
import type { Exits, Program, Site } from './flow/types.js';
import { Walk } from './flow/walk.js';

/** How closely a lease is followed: fewer paths are told apart, then what is called is left out as well. */
const LEVELS = [{}, { isCoarse: true }, { isCoarse: true, follows: false }];
/** So many leases of one origin that had too many paths on a level: the others start on the next one. */
const PATIENCE = 3;

/**
 * Decides how closely each lease is followed. A factory of half an application has hundreds of calls, all with the same
 * paths behind them: what was too much for some of them is not tried for each. Counts steps, never time, so that a run
 * always gives the same answers.
 */
export class Effort {
  readonly #givenUp = new Map<string, number[]>();

  walk(
    site: Site,
    program: Program,
    body: Body,
  ): { readonly walk: Walk; readonly exits: Exits; readonly isCoarse: boolean } {
    const { spec, pattern, via, arms } = site;
    // A library lends to everybody: there it is the function around the call that is too large.
    const isOfProject = via !== null || arms !== undefined;
    const origin = isOfProject ? `${spec.id} ${pattern.kind} ${pattern.name}` : program.idOf(body);
    const givenUp = this.#givenUp.get(origin) ?? LEVELS.map(() => 0);
    this.#givenUp.set(origin, givenUp);
    const last = LEVELS.length - 1;
    for (let level = 0; ; level++) {
      if (level < last && (givenUp[level] ?? 0) >= PATIENCE) continue;
      const walk = new Walk(program, site, LEVELS[level]);
      const exits = walk.run(body);
      if (!walk.isExhausted || level === last) return { walk, exits, isCoarse: level > 0 };
      givenUp[level] = (givenUp[level] ?? 0) + 1;
    }
  }
}
