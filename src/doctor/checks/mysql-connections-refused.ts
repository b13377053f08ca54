import { formatCount } from '../../base/units.js';
import {
  flushStep,
  setGlobal,
  statusNumber,
  statusText,
  variableNumber,
  variableText,
} from '../mysql-settings.js';
import { forEach, pass, warn } from '../outcome.js';
import type { Check } from '../types.js';

export const mysqlConnectionsRefused: Check = {
  id: 'mysql-connections-refused',
  title: 'MySQL has refused nobody for want of connections',
  needs: ['mysql'],
  why: 'A peak may be over when somebody looks. Clients that were refused saw errors, and will again at the next one.',
  details: 'Connection_errors_max_connections counts since the server was started, or since FLUSH STATUS.',
  run: forEach('mysql', (target) => {
    const refused = statusNumber(target, 'Connection_errors_max_connections');
    const evidence = [
      statusText(target, 'Connection_errors_max_connections'),
      statusText(target, 'Max_used_connections'),
      variableText(target, 'max_connections'),
    ];
    if (refused === 0) return pass('none since the counters began', evidence);
    const most = variableNumber(target, 'max_connections');
    return warn(`${formatCount(refused)} connections were refused`, evidence, {
      steps: [...setGlobal(target, 'max_connections', most * 2), flushStep(target)],
      risk:
        'Each connection takes memory. FLUSH STATUS sets most counters of the server to 0, also for those who graph them. ' +
        'Where pools are larger than they need be, make them smaller instead.',
    });
  }),
};
