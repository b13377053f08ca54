import { describe, expect, it } from 'vitest';
import { dashboard } from '../../src/metrics/dashboard.js';
import type { AnyFamily } from '../../src/metrics/metric.js';
import { TABLE } from '../../src/metrics/table.js';

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
  readonly datasource?: unknown;
  readonly targets?: readonly { readonly expr: string; readonly datasource: unknown }[];
}

const board = dashboard() as {
  readonly uid: string;
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] };
  readonly panels: readonly Panel[];
};
const panels = board.panels.filter(({ type }) => type !== 'row');

describe('the dashboard', () => {
  it('keeps its uid, asks for its data source, and is of schema 39', () => {
    expect(board).toMatchObject({ uid: 'connection-pool-monitoring', schemaVersion: 39 });
    expect(board.templating.list[0]).toMatchObject({
      name: 'datasource',
      type: 'datasource',
      query: 'prometheus',
    });
    const datasource = { type: 'prometheus', uid: '$' + '{datasource}' };
    for (const { datasource: own, targets = [] } of panels)
      expect([own, ...targets.map((target) => target.datasource)]).toEqual(
        Array.from({ length: targets.length + 1 }, () => datasource),
      );
    expect(JSON.stringify(board)).not.toContain('__inputs');
  });

  it.each([
    'Pool utilization',
    'Connection status',
    'Connection operations',
    'Connections waiting',
    'Connection checkout duration',
    'PgBouncer clients',
    'PgBouncer servers',
    'PgBouncer max wait time',
    'Invalidations and errors',
  ])('has the panel %s', (title) => {
    expect(panels.map((panel) => panel.title)).toContain(title);
  });

  it('has panels that do not lie on each other, each with an id of its own', () => {
    expect(new Set(board.panels.map(({ id }) => id)).size).toBe(board.panels.length);
    const taken = new Set<string>();
    for (const { gridPos, title } of board.panels) {
      expect({ title, right: gridPos.x + gridPos.w <= 24 }).toEqual({ title, right: true });
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect({ title, taken: taken.has(`${x} ${y}`) }).toEqual({ title, taken: false });
          taken.add(`${x} ${y}`);
        }
      }
    }
  });

  it('asks for no metric that is not in the table, and over no window that is fixed', () => {
    const known = new Set(
      Object.values<AnyFamily>(TABLE).flatMap(({ metrics }) =>
        Object.values(metrics).flatMap(({ name, type }) =>
          type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
        ),
      ),
    );
    const text = JSON.stringify(board);
    const named = text.match(/\b(?:poolctl|pgbouncer|sqlalchemy)_\w+/g) ?? [];
    expect(named.filter((name) => !known.has(name))).toEqual([]);
    const windows = panels
      .flatMap(({ targets = [] }) => targets)
      .flatMap(({ expr }) => expr.match(/\[[^\]]+\]/g) ?? []);
    expect(new Set(windows)).toEqual(new Set(['[$__rate_interval]']));
  });
});
