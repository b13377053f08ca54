import { formatCount, formatShare } from '../../base/units.js';
import { about, alterSystem, type Finding, fail, forEach, known, pass, warn } from '../outcome.js';
import { settingNumber } from '../postgres-settings.js';
import { serverCapacity } from '../server-capacity.js';
import type { Check, PostgresTarget } from '../types.js';

const WARNS_AT = 0.8;
const FAILS_AT = 0.95;

export const connectionHeadroom: Check = {
  id: 'connection-headroom',
  title: 'PostgreSQL has connections left',
  needs: ['postgres'],
  judgesUnreadable: true,
  why:
    'When they are used up, every new connection fails ("too many clients already"), also that of whoever wants to ' +
    'look. Pools then fail to grow, and applications that start anew do not come up.',
  details: `Counts client connections of all databases against max_connections less superuser_reserved_connections and \
reserved_connections (from PostgreSQL 16), which ordinary roles cannot use. Warns from ${formatShare(WARNS_AT, 0)}, fails from \
${formatShare(FAILS_AT, 0)}, and where the server took no connection at all for that reason.`,
  async run(context) {
    const full = context.targets.unreadable
      .filter(({ kind, problem }) => kind === 'postgres' && problem.code === '53300')
      .map((target) => about([target], refused(target)));
    return [...full, ...(await forEach('postgres', judge)(context))];
  },
};

function judge(target: PostgresTarget): Finding {
  const used = known(target.reading).server?.usedConnections ?? 0;
  const { usable, text } = serverCapacity(target);
  const share = used / usable;
  const summary = `${formatCount(used)} of ${formatCount(usable)} connections are in use (${formatShare(share, 0)})`;
  if (share < WARNS_AT) return pass(summary, [text]);
  const most = settingNumber(target, 'max_connections');
  const fix = {
    steps: alterSystem(target, { max_connections: String(Math.ceil((most * 2) / 10) * 10) }),
    risk:
      'The restart ends all sessions. Each connection costs memory, and work_mem counts for each: look at the check ' +
      'work-memory. If most of them are idle, a pooler or smaller pools are the better repair.',
  };
  return share < FAILS_AT ? warn(summary, [text], fix) : fail(summary, [text], fix);
}

/** Nothing can be asked, so the figures are not known; but there is no doubt. */
function refused({
  label,
  problem,
}: {
  readonly label: string;
  readonly problem: { readonly message: string };
}): Finding {
  return fail('all connections are in use: it takes no more', [problem.message], {
    steps: [
      {
        kind: 'sql',
        at: label,
        text:
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' " +
          "AND state = 'idle' AND pid <> pg_backend_pid()",
      },
    ],
    risk:
      'As a superuser, for whom connections are reserved. Pools that do not try their connections before use (pre-ping) ' +
      'see errors once. Then lower the sizes of pools, or raise max_connections and restart.',
  });
}
