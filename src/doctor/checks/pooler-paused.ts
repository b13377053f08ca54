import { commandFor } from '../../pgbouncer/console.js';
import { consoleStep, fail, forEach, known, knownOrNull, pass } from '../outcome.js';
import { figureOf, textOf } from '../pooler-facts.js';
import type { Check } from '../types.js';

export const poolerPaused: Check = {
  id: 'pooler-paused',
  title: 'PgBouncer is not paused, and refuses no database',
  needs: ['pgbouncer'],
  why:
    'A PAUSE that nobody took back, from a script that was killed say, makes every query wait with nothing else to be ' +
    'seen; a database that was disabled refuses new clients.',
  details:
    'Looks at paused and disabled of SHOW DATABASES, and from 1.19 at SHOW STATE. Before 1.19 nothing shows that all of ' +
    'it was paused by PAUSE without a database.',
  run: forEach('pgbouncer', (target) => {
    const databases = known(target.databases);
    const paused = databases.filter((row) => figureOf(row.paused) === 1).map(({ name }) => textOf(name));
    const disabled = databases.filter((row) => figureOf(row.disabled) === 1).map(({ name }) => textOf(name));
    const state = knownOrNull(target.state);
    const isPaused = state?.some(({ key, value }) => key === 'paused' && value === 'yes') ?? false;
    const commands = [
      ...(isPaused ? ['RESUME'] : []),
      ...paused.map((name) => commandFor('RESUME', name)),
      ...disabled.map((name) => commandFor('ENABLE', name)),
    ];
    if (commands.length === 0)
      return pass(
        state === null
          ? `no database is, and PgBouncer ${target.version} does not tell of itself`
          : 'nothing is',
      );
    const found = [
      ...(isPaused ? ['all of it is paused'] : []),
      ...paused.map((name) => `${name} is paused`),
      ...disabled.map((name) => `${name} is disabled`),
    ];
    return fail(found.join(', '), [], {
      steps: commands.map((text) => consoleStep(target, text)),
      risk: 'If somebody works on the server at this moment, queries reach it in the middle of that: ask first.',
    });
  }),
};
