// Ink as `poolctl top` uses it: with our own composing of frames, and without React's developer tools.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const LAZY_SEGMENTER = `const lazySegmenter = (...options) => {
  let segmenter;
  return { segment: (text) => (segmenter ??= new Intl.Segmenter(...options)).segment(text) };
};`;

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
    // string-width compiles Unicode expressions and loads a segmenter when it is loaded: an eighth of the CPU time to the
    // first frame. The screen is laid out with our own widths anyway.
    build.onResolve({ filter: /^string-width$/ }, ({ path }) => ({ path, namespace: 'width' }));
    build.onLoad({ filter: /.*/, namespace: 'width' }, () => ({
      contents: `import { widthOf } from '../src/report/text.js';
export default (text) => (typeof text === 'string' ? widthOf(text) : 0);`,
      resolveDir: build.initialOptions.outdir ?? '',
    }));
    // These two cut and compose styled text, which hardly any frame needs.
    build.onLoad({ filter: /[\\/](?:slice-ansi|ansi-tokenize)[\\/].*\.js$/ }, ({ path }) => ({
      contents: `${LAZY_SEGMENTER}\n${readFileSync(path, 'utf8').replaceAll('new Intl.Segmenter(', 'lazySegmenter(')}`,
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
