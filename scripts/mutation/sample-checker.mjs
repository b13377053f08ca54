import { relative } from 'node:path';
import { CheckStatus } from '@stryker-mutator/api/check';
import { commonTokens, declareClassPlugin, PluginKind } from '@stryker-mutator/api/plugin';
import { placeOf } from './mutants.mjs';

/**
 * Lets only the mutants of the sample run. Stryker has no sampling of its own, and its checkers are the one place
 * where a plugin decides on a single mutant.
 */
class SampleChecker {
  /** @type {['options']} */
  static inject = [commonTokens.options];

  /** @param {import('@stryker-mutator/api/core').StrykerOptions & { sample?: string[] }} options */
  constructor(options) {
    this.sample = new Set(options.sample ?? []);
  }

  async init() {}

  /** @param {readonly import('@stryker-mutator/api/core').Mutant[]} mutants */
  async check(mutants) {
    /**
     * @param {import('@stryker-mutator/api/core').Mutant} mutant
     * @returns {import('@stryker-mutator/api/check').CheckResult}
     */
    const result = (mutant) => {
      const fileName = relative(process.cwd(), mutant.fileName);
      return this.sample.has(placeOf({ ...mutant, fileName }))
        ? { status: CheckStatus.Passed }
        : { status: CheckStatus.CompileError, reason: 'not in the sample' };
    };
    return Object.fromEntries(mutants.map((mutant) => [mutant.id, result(mutant)]));
  }

  /** @param {readonly import('@stryker-mutator/api/core').Mutant[]} mutants */
  async group(mutants) {
    return [mutants.map(({ id }) => id)];
  }
}

export const strykerPlugins = [declareClassPlugin(PluginKind.Checker, 'sample', SampleChecker)];
