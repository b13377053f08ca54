import type { ReplayName } from '../names.js';
import { ACTS } from '../replay/acts/index.js';
import { firstDifference, play } from '../replay/play.js';
import { RECORDINGS } from '../replay/recordings.js';
import type { Scenario } from './scenario.js';

const TITLES: Readonly<Record<ReplayName, string>> = {
  'replay-requests': 'answers, deadlines, retries, refusals and streams',
  'replay-pacing': 'windows, urgent messages, the rules of history, rests',
  'replay-connections': 'handshakes, backoff, heartbeats, losses',
  'replay-pool': 'leases, waiters, idle connections, closing',
  'replay-orders': 'the ledger under any message, in any order, over drops and restarts',
};

/**
 * Each plays scripts on a clock of its own, and compares what the pool sends and reports, and when, with a recording. So
 * they find differences of a millisecond or of a counter, which no run against a gateway in real time can.
 */
export const replays = Object.fromEntries(
  Object.entries(TITLES).map(([name, what]) => [name, replay(name as ReplayName, what)]),
) as Readonly<Record<ReplayName, Scenario>>;

function replay(name: ReplayName, what: string): Scenario {
  return {
    name,
    title: `scripted sessions: ${what}; every message and event as recorded, to the millisecond`,
    speed: 1,
    lastsMs: 10_000,
    offline: true,
    async run(trial) {
      for (const act of ACTS[name]) {
        const transcript = await play(act, trial.breakage);
        const at = firstDifference(transcript, RECORDINGS[`${name}: ${act.name}`] ?? '');
        const seen =
          at === null
            ? `${transcript.length} lines`
            : `line ${at}: ${(transcript[at - 1] ?? 'is missing').slice(0, 200)}`;
        trial.check(act.name, at === null, seen);
        if (at !== null && trial.bails) return;
        // Ends here where the run was stopped.
        await trial.sleep(0);
      }
    },
  };
}
