import { relative } from 'node:path';
import { commonTokens, declareClassPlugin, PluginKind } from '@stryker-mutator/api/plugin';
import { placeOfResult } from './mutants.mjs';

/** Prints each survivor as soon as it is known: on a busy machine a room takes a while. */
class SurvivorReporter {
  /** @type {['options']} */
  static inject = [commonTokens.options];

  /** @param {import('@stryker-mutator/api/core').StrykerOptions & { sample?: string[] }} options */
  constructor(options) {
    this.sample = new Set(options.sample ?? []);
  }

  /** @param {import('@stryker-mutator/api/core').MutantResult} result */
  onMutantTested(result) {
    if (result.status !== 'Survived' && result.status !== 'NoCoverage') return;
    if (!this.sample.has(placeOfResult(result))) return;
    const file = relative(process.cwd(), result.fileName);
    process.stdout.write(
      `survived: ${file}:${result.location.start.line}: ${result.replacement.split('\n', 1)[0]}\n`,
    );
  }
}

export const strykerPlugins = [declareClassPlugin(PluginKind.Reporter, 'survivors', SurvivorReporter)];
