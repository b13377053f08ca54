import { memo, useMemo } from 'react';
import { headLine, hiddenColumns, type Layout, layoutOf, rowLine } from '../layout.js';
import { selectedIndex } from '../select.js';
import { here, type State } from '../state.js';
import type { Table } from '../table.js';
import { Body } from './body.js';
import { usePen } from './pen.js';
import { TextLine } from './text-line.js';

interface TableViewProps {
  readonly state: State;
  readonly table: Table;
  readonly rows: number;
  /** Whether the title shows the filter. */
  readonly hasTitle: boolean;
}

/** The page of a table that has the selected row. The rows stay in place while the selection moves within the page. */
export function TableView({ state, table, rows, hasTitle }: TableViewProps) {
  const pen = usePen();
  const { width } = pen;
  const spot = here(state);
  const layout = useMemo(() => layoutOf(table.columns, width), [table.columns, width]);
  const head = <TextLine line={headLine(table, layout, width, pen)} />;
  const columnWords = hiddenColumns(table, layout);
  if (table.keys.length === 0) {
    const why = table.total === 0 ? table.empty : `no row fits the filter '${spot.filter}'`;
    return (
      <Body rows={rows} hidden={columnWords}>
        {head}
        <TextLine line={[{ text: `  ${why}`, tone: 'faint' }]} />
      </Body>
    );
  }
  const selected = selectedIndex(table, spot);
  const first = Math.floor(selected / rows) * rows;
  const last = Math.min(first + rows, table.keys.length);
  const rowWords =
    last - first === table.keys.length ? '' : `${first + 1}-${last} of ${table.keys.length} rows`;
  const filterWords = hasTitle || spot.filter === '' ? '' : `filter: ${spot.filter}`;
  const hidden = [filterWords, rowWords, columnWords].filter((one) => one !== '').join('; ');
  return (
    <Body rows={rows} hidden={hidden}>
      {head}
      {Array.from({ length: last - first }, (_, at) => (
        // By place, not by the key of the row: a changed order is then new text in lines that stay where they are.
        // biome-ignore lint/suspicious/noArrayIndexKey: see above
        <Row key={at} table={table} at={first + at} layout={layout} isSelected={first + at === selected} />
      ))}
    </Body>
  );
}

interface RowProps {
  readonly table: Table;
  readonly at: number;
  readonly layout: Layout;
  readonly isSelected: boolean;
}

/** A key that moves the selection renders two rows again, and a tick those whose text has changed. */
const Row = memo(function Row({ table, at, layout, isSelected }: RowProps) {
  return <TextLine line={rowLine(table, at, layout, isSelected, usePen())} />;
});
