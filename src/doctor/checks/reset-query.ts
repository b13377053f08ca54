import { changeIni, fail, forEach, pass, warn } from '../outcome.js';
import { configLine, configNumber, configText, pooledDatabases } from '../pooler-facts.js';
import type { Check } from '../types.js';

export const resetQuery: Check = {
  id: 'reset-query',
  title: 'servers are cleared between clients where that is needed, and only there',
  needs: ['pgbouncer'],
  why:
    'In session mode the next client gets the connection of the last one: with its temporary tables, its settings, its ' +
    'role and its locks, unless they are discarded. In transaction mode discarding costs a round trip each time and is of ' +
    'no use, as clients may not rely on such state there.',
  details:
    'server_reset_query must not be empty where a pool is in session mode; DISCARD ALL is the default. ' +
    'server_reset_query_always must be 0 where none is: PgBouncer then leaves the query out by itself.',
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
        risk: 'A round trip to the server whenever a client leaves; what it has prepared there is gone.',
      });
    if (always && !modes.has('session') && query !== '')
      return warn(`${query} is sent after each transaction, and is of no use there`, evidence, {
        steps: changeIni(target, { server_reset_query_always: 0 }),
        risk: 'An application that relies on state being cleared after each transaction is wrong in other ways too.',
      });
    return pass(modes.has('session') ? query : 'left out, as transaction mode needs none', evidence);
  }),
};
