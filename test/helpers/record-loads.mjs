// Preloaded with `node --import`: writes the URL of every module that is loaded to the file RECORDED_LOADS names.
// ES modules are seen by a loader hook, CommonJS ones in the cache that is left at the end.
import { appendFileSync } from 'node:fs';
import { createRequire, register } from 'node:module';
import { pathToFileURL } from 'node:url';

const hook = `
  import { appendFileSync } from 'node:fs';
  export async function load(url, context, next) {
    appendFileSync(process.env.RECORDED_LOADS, url + '\\n');
    return next(url, context);
  }`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);

process.on('exit', () => {
  const { cache } = createRequire(import.meta.url);
  const urls = Object.keys(cache).map((path) => `${pathToFileURL(path).href}\n`);
  appendFileSync(process.env.RECORDED_LOADS ?? '', urls.join(''));
});
