import { changeIni, fail, forEach, pass, warn } from '../outcome.js';
import { configLine, configNumber, configText, pooledDatabases } from '../pooler-facts.js';
import type { Check } from '../types.js';

export const resetQuery: Check = {
  id: 'reset-query',
  title: 'PgBouncer resets servers between clients where necessary, and only there',
  needs: ['pgbouncer'],
  why:
    'In session mode, the next client inherits temporary tables, settings, role and locks of the last one, ' +
    'unless a reset discards them. In transaction mode, a reset costs a round trip each time and has no ' +
    'use, because clients cannot rely on such state.',
  details:
    'server_reset_query must not be empty if a pool is in session mode; the default is DISCARD ALL. ' +
    'server_reset_query_always must be 0 if no pool is in session mode.',
  run: forEach('pgbouncer', (target) => {
    const query = configText(target, 'server_reset_query');
    const always = configNumber(target, 'server_reset_query_always') === 1;
    const modes = new Set([
      configText(target, 'pool_mode'),
      ...pooledDatabases(target).map(({ mode }) => mode),
    ]);
    const evidence = [
      configLine(target, 'pool_mode'),
      configLine(target, 'server_reset_query'),
      configLine(target, 'server_reset_query_always'),
    ];
    if (modes.has('session') && query === '')
      return fail('session mode without a server_reset_query: clients inherit from each other', evidence, {
        steps: changeIni(target, { server_reset_query: 'DISCARD ALL' }),
        risk: 'Costs a round trip whenever a client leaves, and discards its prepared statements.',
      });
    if (always && !modes.has('session') && query !== '')
      return warn(`${query} runs after each transaction, where it has no use`, evidence, {
        steps: changeIni(target, { server_reset_query_always: 0 }),
        risk: 'An application that relies on a reset after each transaction has other bugs too.',
      });
    return pass(modes.has('session') ? query : 'not needed in transaction mode', evidence);
  }),
};
