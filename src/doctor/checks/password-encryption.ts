import { alterSystem, forEach, pass, warn } from '../outcome.js';
import { settingOf, settingText } from '../postgres-settings.js';
import type { Check } from '../types.js';

const NAME = 'password_encryption';

export const passwordEncryption: Check = {
  id: 'password-encryption',
  title: 'PostgreSQL stores new passwords by SCRAM',
  needs: ['postgres'],
  why:
    'An md5 secret is as good as the password to whoever reads it, from a backup say, and PostgreSQL 18 warns that it will ' +
    'be gone. PgBouncer can pass SCRAM logins through only where its secrets are those of the server.',
  details: `${NAME} must be scram-sha-256. It holds for passwords that are set from then on: those that are stored stay.`,
  run: forEach('postgres', (target) => {
    const { value } = settingOf(target, NAME);
    const evidence = [settingText(target, NAME)];
    if (value === 'scram-sha-256') return pass('scram-sha-256', evidence);
    return warn(`${NAME} is ${value}`, evidence, {
      steps: alterSystem(target, { [NAME]: 'scram-sha-256' }),
      risk:
        'Drivers from before 2018 do not know SCRAM. Passwords that are set anew need pg_hba.conf to allow it (md5 there ' +
        'does too), and the userlist of PgBouncer to be written again.',
    });
  }),
};
