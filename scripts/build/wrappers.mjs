// What CommonJS programs require: a file beside each entry point that requires its ES module, so that both kinds of
// programs have the same classes. The types need it too: TypeScript accepts no ES module behind `require` by itself.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { entriesOf } from './closure.mjs';

/**
 * Writes the wrappers, and returns their paths.
 * @param {string} dist
 * @param {import('./closure.mjs').Manifest} manifest
 */
export function writeWrappers(dist, manifest) {
  return entriesOf(manifest).flatMap(({ require, default: module }) => {
    const name = `./${module.split('/').pop()}`;
    const code = join(dist, '..', require.default);
    const types = join(dist, '..', require.types);
    // `poolctl/register` has been bundled as CommonJS for the preload.
    if (!existsSync(code)) writeFileSync(code, `module.exports = require('${name}');\n`);
    writeFileSync(types, `// @ts-ignore: TypeScript does not know that Node can\nexport * from '${name}';\n`);
    return [code, types];
  });
}
