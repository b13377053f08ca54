import { formatCount, formatShare } from '../../base/units.js';
import { about, alterSystem, type Finding, fail, forEach, known, pass, warn } from '../outcome.js';
import { settingNumber } from '../postgres-settings.js';
import { serverCapacity } from '../server-capacity.js';
import type { Check, PostgresTarget } from '../types.js';

const WARNS_AT = 0.8;
const FAILS_AT = 0.95;

export const connectionHeadroom: Check = {
  id: 'connection-headroom',
  title: 'PostgreSQL has free connections',
  needs: ['postgres'],
  judgesUnreadable: true,
  why:
    'When all connections are in use, every new one fails with "too many clients already", including the ' +
    'one you need to investigate. Pools cannot grow, and restarted applications do not start.',
  details:
    'Counts client connections of all databases. Ordinary roles can use max_connections minus ' +
    'superuser_reserved_connections and reserved_connections (PostgreSQL 16 and later). Warns from ' +
    `${formatShare(WARNS_AT, 0)} and fails from ${formatShare(FAILS_AT, 0)}. Also fails if the server ` +
    'refused the connection for this reason.',
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
      'The restart ends all sessions. Each connection costs memory, and work_mem counts per connection: ' +
      'run the check work-memory. If most connections are idle, use a pooler or smaller pools instead.',
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
  return fail('all connections are in use: the server accepts no more', [problem.message], {
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
      'Run it as a superuser, for whom connections are reserved. Pools without pre-ping see one error per ' +
      'connection. Then make the pools smaller, or raise max_connections and restart.',
  });
}
