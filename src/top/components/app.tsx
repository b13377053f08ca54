import { Box, useInput, useStdout } from 'ink';
import { useCallback, useEffect, useMemo, useSyncExternalStore } from 'react';
import { keyName } from '../keys.js';
import { sizeOf } from '../screen.js';
import { sharesOf } from '../sizes.js';
import type { State } from '../state.js';
import type { ScreenDrawing, Store } from '../store.js';
import { Detail } from './detail.js';
import { Diagnosis } from './diagnosis.js';
import { Sources, Title } from './header.js';
import { PenContext, penOf } from './pen.js';
import { StatusLine } from './status-line.js';
import { TableView } from './table-view.js';
import { Tabs } from './tabs.js';

export interface AppProps {
  readonly store: Store;
  readonly drawing: ScreenDrawing;
}

/** Connects the screen to the state, the keyboard and the size of the window. */
export function App({ store, drawing }: AppProps) {
  const state = useSyncExternalStore(store.subscribe, store.getState);
  const { stdout } = useStdout();
  useInput(
    useCallback(
      (input, key) => {
        const name = keyName(input, key);
        if (name !== null) store.dispatch({ type: 'key', key: name });
      },
      [store],
    ),
  );
  useEffect(() => {
    const onResize = () => store.dispatch({ type: 'resize', size: sizeOf(stdout) });
    stdout.on('resize', onResize);
    return () => void stdout.off('resize', onResize);
  }, [store, stdout]);
  return <Screen state={state} drawing={drawing} />;
}

export interface ScreenProps {
  readonly state: State;
  readonly drawing: ScreenDrawing;
}

/** The whole screen, a function of the state. */
export function Screen({ state, drawing }: ScreenProps) {
  const { size, content, shown, trail, mode, paused, intervalMs } = state;
  const shares = sharesOf(size);
  // The last column stays empty: on some terminals erasing behind it takes it along.
  const width = Math.max(1, size.columns - 1);
  const pen = useMemo(() => penOf(drawing, width), [drawing, width]);
  const tick = shown?.tick ?? null;
  return (
    <PenContext value={pen}>
      <Box height={shares.frame} alignItems="flex-start">
        {/* In a tiny window it is higher than the frame, which cuts it. */}
        <Box flexDirection="column" flexShrink={0} width={width}>
          <Tabs
            trail={trail}
            atMs={tick?.atMs ?? null}
            mode={mode}
            paused={paused}
            intervalMs={intervalMs}
            hasSources={shares.sources}
          />
          <Diagnosis diagnosis={shown?.diagnosis ?? null} rows={shares.diagnosis} />
          {shares.sources && <Sources tick={tick} mode={mode} />}
          {shares.title && <Title trail={trail} content={content} />}
          {content.kind === 'table' ? (
            <TableView state={state} table={content.table} rows={shares.body} hasTitle={shares.title} />
          ) : (
            <Detail state={state} lines={content.lines} rows={shares.body} />
          )}
          <StatusLine prompt={state.prompt} notice={state.notice} />
        </Box>
      </Box>
    </PenContext>
  );
}
