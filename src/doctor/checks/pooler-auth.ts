import { changeIni, type Finding, fail, forEach, pass, warn } from '../outcome.js';
import { configLine, configText } from '../pooler-facts.js';
import type { Check, PgBouncerTarget } from '../types.js';

const FINE = ['scram-sha-256', 'cert', 'pam', 'ldap'];

export const poolerAuth: Check = {
  id: 'pooler-auth',
  title: 'PgBouncer requires passwords and stores none in plain text',
  needs: ['pgbouncer'],
  why: 'PgBouncer logs in to the server by itself. A client that it lets in has the rights of the role it names.',
  details:
    'With auth_type any or trust, everybody gets in. With plain, passwords cross the network in plain ' +
    'text. With md5, anyone who reads a secret can replay it. scram-sha-256, cert, pam and ldap pass. hba ' +
    'depends on auth_hba_file, which the console does not show.',
  run: forEach('pgbouncer', judge),
};

function judge(target: PgBouncerTarget): Finding {
  const type = configText(target, 'auth_type');
  const evidence = [configLine(target, 'auth_type')];
  const fix = {
    steps: changeIni(target, { auth_type: 'scram-sha-256' }),
    risk:
      'Every user then needs a SCRAM secret or a plain password in auth_file, or from auth_query. A user ' +
      'with only an md5 secret can no longer log in. poolctl pgbouncer init writes such a file.',
  };
  switch (type) {
    case 'any':
    case 'trust':
      return fail(`auth_type is ${type}: everybody gets in`, evidence, fix);
    case 'plain':
      return fail('auth_type is plain: passwords cross the network in plain text', evidence, fix);
    case 'md5':
      // With SCRAM secrets in auth_file, md5 means SCRAM; the console does not show which there are.
      return warn('auth_type is md5', evidence, fix);
    case 'hba':
      return pass('depends on auth_hba_file', evidence);
    default:
      return FINE.includes(type)
        ? pass(type, evidence)
        : warn(`auth_type is ${type}, which is unknown`, evidence, fix);
  }
}
