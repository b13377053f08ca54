import type { Lab } from './lab.js';
import type { OwnPostgres } from './servers.js';

/** Starts the applications of the incidents on a PostgreSQL of their own. */
export function applicationsOn(own: OwnPostgres) {
  return {
    runs(lab: Lab, state: string, url = own.url()): void {
      if (lab.sources.length === 0) lab.sources = [own.root()];
      lab.betweenRuns = () => own.endSessions();
      lab.app('pg.mjs', [url, state]);
    },
    inLibrary(lab: Lab, state: string): void {
      lab.sources = [own.root()];
      lab.betweenRuns = () => own.endSessions();
      lab.app('libraries.mjs', [own.url(), state]);
    },
  };
}
