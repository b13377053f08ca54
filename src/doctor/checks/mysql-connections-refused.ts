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
  title: 'MySQL has not refused a connection for lack of room',
  needs: ['mysql'],
  why: 'A peak may be over before you look. The refused clients saw errors, and the next peak causes more.',
  details: 'Connection_errors_max_connections counts since the start of the server, or since FLUSH STATUS.',
  run: forEach('mysql', (target) => {
    const refused = statusNumber(target, 'Connection_errors_max_connections');
    const evidence = [
      statusText(target, 'Connection_errors_max_connections'),
      statusText(target, 'Max_used_connections'),
      variableText(target, 'max_connections'),
    ];
    if (refused === 0) return pass('none since the counters started', evidence);
    const most = variableNumber(target, 'max_connections');
    return warn(`${formatCount(refused)} connections were refused`, evidence, {
      steps: [...setGlobal(target, 'max_connections', most * 2), flushStep(target)],
      risk:
        'Each connection needs memory. FLUSH STATUS resets most counters of the server, also for ' +
        'dashboards. If pools are larger than necessary, make them smaller instead.',
    });
  }),
};
