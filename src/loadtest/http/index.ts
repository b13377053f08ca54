/// <reference lib="esnext.disposable" preserve="true" />
/** The library door of load tests over HTTP: `import { httpWorkload } from 'poolctl/loadtest/http'`. */
export { type AutocannonOptions, runAutocannon } from './autocannon.js';
export { type HttpWork, type HttpWorkloadOptions, httpWorkload } from './http-workload.js';
export type * from './types.js';
