import { configSchema, configTypes } from './config-schema.mjs';
import { manPage } from './man-page.mjs';
import { outputSchemas } from './output-schemas.mjs';
import { referencePages } from './reference.mjs';

/**
 * All generated files by their path.
 * @param {readonly import('../../src/cli/catalog.js').CatalogEntry[]} catalog
 * @param {string} summary of poolctl
 * @param {import('./reference.mjs').Described} described
 * @returns {Readonly<Record<string, string>>}
 */
export function generatedFiles(catalog, summary, described) {
  const config = configSchema(catalog);
  const schemas = Object.entries({ config, ...outputSchemas() }).map(([name, schema]) => [
    `schemas/${name}.json`,
    `${JSON.stringify(schema, null, 2)}\n`,
  ]);
  return {
    ...Object.fromEntries(schemas),
    'src/config/options.ts': configTypes(config),
    'man/poolctl.1': manPage(catalog, summary),
    ...referencePages(catalog, described),
  };
}
