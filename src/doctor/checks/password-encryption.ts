import { alterSystem, forEach, pass, warn } from '../outcome.js';
import { settingOf, settingText } from '../postgres-settings.js';
import type { Check } from '../types.js';

const NAME = 'password_encryption';

export const passwordEncryption: Check = {
  id: 'password-encryption',
  title: 'PostgreSQL stores new passwords with SCRAM',
  needs: ['postgres'],
  why:
    'Anyone who reads an md5 secret, for example in a backup, can log in with it. PostgreSQL 18 warns ' +
    'about its removal. PgBouncer can pass SCRAM logins through only if its secrets equal those of the ' +
    'server.',
  details:
    `${NAME} must be scram-sha-256. It applies to passwords that are set from now on. Stored passwords stay ` +
    'as they are.',
  run: forEach('postgres', (target) => {
    const { value } = settingOf(target, NAME);
    const evidence = [settingText(target, NAME)];
    if (value === 'scram-sha-256') return pass('scram-sha-256', evidence);
    return warn(`${NAME} is ${value}`, evidence, {
      steps: alterSystem(target, { [NAME]: 'scram-sha-256' }),
      risk:
        'Drivers older than 2018 do not support SCRAM. New passwords need a pg_hba.conf that allows it ' +
        '(md5 does too), and a new userlist for PgBouncer.',
    });
  }),
};
