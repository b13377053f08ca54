import { describe, expect, it } from 'vitest';
import { INCIDENTS } from './incidents.js';
import { outputsOf } from './outputs.js';

describe('every output names the same cause', () => {
  it.each(INCIDENTS.map((one) => [one.id, one] as const))('%s', async (id, incident) => {
    const { top, health, doctor, alerts, exit, exitText } = await outputsOf(incident);
    const expected = incident.cause === undefined ? id : incident.cause;
    // The report at exit has no server to ask: it may find less, and says how sure it is.
    const certain = exit.filter(({ confidence, severity }) => confidence === 'certain' && severity === 'bad');
    if (expected === null) {
      expect({ top, health, doctor, alerts, exitText }).toEqual({
        ...{ top: [], health: [], doctor: [], alerts: [], exitText: '' },
      });
      return;
    }
    expect(top).toEqual([expected]);
    expect(health).toContain(expected);
    // A clock step shows between two looks that are further apart than those of the doctor.
    if (incident.clockStepMs === undefined) expect(doctor[0]).toBe(expected);
    expect(alerts).toContain(expected);
    // All of them rest on the same findings.
    expect(new Set(alerts)).toEqual(new Set([...health, ...alerts]));
    expect(certain.map(({ cause }) => cause).filter((cause) => !alerts.includes(cause))).toEqual([]);
  });
});
