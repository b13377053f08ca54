// Ink as `poolctl top` uses it: with our own composing of frames, and without React's developer tools.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** @type {import('esbuild').Plugin} */
export const inkForTop = {
  name: 'ink',
  setup(build) {
    let composes = false;
    build.onResolve({ filter: /^\.\/(?:output|devtools|utils)\.js$/ }, ({ path, importer }) => {
      if (!/[\\/]ink[\\/]build[\\/]/.test(importer)) return null;
      if (path !== './output.js') return { path, namespace: 'ink' };
      if (!importer.endsWith('renderer.js')) return null;
      composes = true;
      return { path: join(import.meta.dirname, 'ink-output.mjs') };
    });
    build.onLoad({ filter: /.*/, namespace: 'ink' }, ({ path }) => ({
      contents: path === './utils.js' ? 'export const isDev = () => false;' : '',
    }));
    // Yoga would fetch its own data URL, for which Node loads an HTTP client; without fetch it decodes the URL.
    build.onLoad({ filter: /[\\/]yoga-layout[\\/].*\.js$/ }, ({ path }) => ({
      contents: `const fetch = undefined;\n${readFileSync(path, 'utf8')}`,
    }));
    build.onEnd(({ errors }) =>
      composes || errors.length > 0
        ? null
        : { errors: [{ text: 'Ink has another layout inside: adapt scripts/build/ink.mjs' }] },
    );
  },
};
