import { changeIni, type Finding, fail, forEach, pass, warn } from '../outcome.js';
import { configLine, configText } from '../pooler-facts.js';
import type { Check, PgBouncerTarget } from '../types.js';

const FINE = ['scram-sha-256', 'cert', 'pam', 'ldap'];

export const poolerAuth: Check = {
  id: 'pooler-auth',
  title: 'PgBouncer asks clients for a password, and keeps no plain ones',
  needs: ['pgbouncer'],
  why: 'PgBouncer logs in to the server itself: whoever gets past it is whoever he says, with the rights of that role.',
  details:
    'auth_type: any and trust let everybody in, plain sends passwords as they are, md5 can be replayed by whoever reads a ' +
    'secret. scram-sha-256, cert, pam and ldap pass; hba does what auth_hba_file says, which the console does not show.',
  run: forEach('pgbouncer', judge),
};

function judge(target: PgBouncerTarget): Finding {
  const type = configText(target, 'auth_type');
  const evidence = [configLine(target, 'auth_type')];
  const fix = {
    steps: changeIni(target, { auth_type: 'scram-sha-256' }),
    risk:
      'Every user then needs a SCRAM secret or a plain password in auth_file, or by auth_query; one with an md5 secret ' +
      'alone cannot log in any more. poolctl pgbouncer init writes such a file.',
  };
  switch (type) {
    case 'any':
    case 'trust':
      return fail(`auth_type is ${type}: everybody gets in`, evidence, fix);
    case 'plain':
      return fail('auth_type is plain: passwords are sent as they are', evidence, fix);
    case 'md5':
      // With SCRAM secrets in auth_file, md5 means SCRAM; the console does not show which there are.
      return warn('auth_type is md5', evidence, fix);
    case 'hba':
      return pass('as auth_hba_file says', evidence);
    default:
      return FINE.includes(type)
        ? pass(type, evidence)
        : warn(`auth_type is ${type}, which is not known`, evidence, fix);
  }
}
