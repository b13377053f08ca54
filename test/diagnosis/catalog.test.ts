import { describe, expect, it } from 'vitest';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import { factsOf } from '../../src/diagnosis/facts.js';
import { NO_HISTORY, nextHistory } from '../../src/diagnosis/history.js';
import { NO_SERVER_HISTORY, nextServerHistory } from '../../src/diagnosis/server-history.js';
import { AT_MS } from '../top/helpers.js';
import { INCIDENTS, type Incident } from './incidents.js';

/** The diagnosis after one look, or two where a rate decides. */
function diagnosisOf({ sources, before, settings, clockStepMs }: Incident) {
  const past = before === undefined ? null : factsOf({ atMs: AT_MS - 1000, sources: before });
  const facts = factsOf({ atMs: AT_MS, sources });
  const history = nextHistory(past === null ? NO_HISTORY : nextHistory(NO_HISTORY, past.pools), facts.pools);
  const servers = nextServerHistory(
    past === null ? NO_SERVER_HISTORY : nextServerHistory(NO_SERVER_HISTORY, past.servers, AT_MS - 1000),
    facts.servers,
    AT_MS,
  );
  return diagnose(facts, {
    history,
    servers,
    cwd: '/app',
    settings: settings ?? null,
    clockStepMs: clockStepMs ?? null,
  });
}

describe('the catalog of incidents', () => {
  it.each(INCIDENTS.map((one) => [one.id, one] as const))('%s is named', (id, incident) => {
    const { cause, words, findings, severity } = diagnosisOf(incident);
    const expected = incident.cause === undefined ? id : incident.cause;
    expect({ cause, words }).toEqual({ cause: expected, words: expect.any(String) as string });
    if (incident.says !== undefined) expect(words).toMatch(incident.says);
    if (expected === null) {
      expect({ severity, findings }).toEqual({ severity: 'good', findings: [] });
      return;
    }
    const [first] = findings;
    const steps = first?.steps ?? [];
    expect(steps.length).toBeGreaterThan(0);
    expect(first?.avoid.length).toBeGreaterThan(0);
    if (incident.neverSays !== undefined)
      expect(steps.map(({ text }) => text).join('\n')).not.toMatch(incident.neverSays);
  });
});
