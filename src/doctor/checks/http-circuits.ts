import { codeStep, fail, pass } from '../outcome.js';
import { forEachPool } from '../pools.js';
import type { Check } from '../types.js';

export const httpCircuits: Check = {
  id: 'http-circuits',
  title: 'no server is left alone for its failures',
  needs: ['pool'],
  why: 'While a circuit is open all requests to that server are refused here, without being sent.',
  details: 'Fails where the circuit of an origin is open or half-open at this moment.',
  run: forEachPool(({ http }) => {
    if (http === undefined) return null;
    const open = http.origins.filter(({ breaker }) => breaker === 'open' || breaker === 'half-open');
    if (open.length === 0)
      return pass(
        `${http.origins.length} ${http.origins.length === 1 ? 'origin' : 'origins'}, no circuit open`,
      );
    return fail(
      `${open.length} of ${http.origins.length} circuits are open`,
      open.map(({ origin, breaker }) => `${origin}: ${breaker}`),
      {
        steps: open.map(({ origin }) =>
          codeStep(
            `repair ${origin}: at least half of the last requests failed; the circuit closes by itself when one succeeds`,
          ),
        ),
        risk: 'None.',
      },
    );
  }, 'no application has an HTTP pool'),
};
