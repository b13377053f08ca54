import { arrayOf, isRecord } from '../audit/code/manifests.js';
import { type CustomResource, readCustomResource } from '../audit/resources/custom.js';
import type { Confidence } from '../audit/types.js';

/** The options of each rule. `settings.poolctl` has the same for all of them; those of a rule count more. */
export interface PluginOptions {
  /** The folder whose files belong together. Default: the working directory of ESLint. */
  readonly root?: string;
  /** The poolctl config file. Default: the one that `poolctl audit-leaks` finds from `root`. */
  readonly config?: string;
  /** More kinds of leases, besides those of the config file. */
  readonly resources?: readonly CustomResource[];
  /** The lowest confidence that is reported. Default: that of the config file. */
  readonly minConfidence?: Confidence;
  /** Reports leaks in test files too. Default: that of the config file. */
  readonly includeTests?: boolean;
  /** Reports notes too. Default: that of the config file. */
  readonly notes?: boolean;
}

const NAMES = {
  anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, minItems: 1 }],
};

/** The JSON Schema of the options. */
export const SCHEMA: Record<string, unknown>[] = [
  {
    type: 'object',
    properties: {
      root: { type: 'string' },
      config: { type: 'string' },
      resources: {
        type: 'array',
        items: {
          type: 'object',
          properties: {
            ...{ id: { type: 'string' }, title: { type: 'string' } },
            ...{ acquire: NAMES, release: NAMES, handoff: NAMES, armedBy: NAMES, from: NAMES },
          },
          required: ['acquire', 'release'],
          additionalProperties: false,
        },
      },
      minConfidence: { enum: ['high', 'medium', 'low'] },
      includeTests: { type: 'boolean' },
      notes: { type: 'boolean' },
    },
    additionalProperties: false,
  },
];

export interface ReadOptions {
  readonly options: PluginOptions;
  /** Sentences on what is wrong in them. */
  readonly problems: readonly string[];
}

/** Joins the options of a rule with those of `settings.poolctl`, which ESLint does not check. */
export function optionsOf(settings: unknown, own: unknown): ReadOptions {
  const shared: PluginOptions = isRecord(settings) ? settings : {};
  const rule: PluginOptions = isRecord(own) ? own : {};
  const problems: string[] = [];
  const resources = arrayOf(rule.resources ?? shared.resources).flatMap((one) => {
    const read = readCustomResource(one);
    if (typeof read !== 'string') return [read];
    problems.push(`resources: ${read}`);
    return [];
  });
  for (const name of Object.keys(shared))
    if (!KNOWN.has(name)) problems.push(`settings.poolctl has no '${name}'`);
  return { options: { ...shared, ...rule, resources }, problems };
}

const KNOWN = new Set(['root', 'config', 'resources', 'minConfidence', 'includeTests', 'notes']);
