import { formatDuration } from '../../base/units.js';
import { type Spot, VIEWS } from '../place.js';
import type { Line, Span } from '../spans.js';
import { timeOfDay } from '../words.js';
import { usePen } from './pen.js';
import { TextLine } from './text-line.js';
import { VIEW_TITLES } from './titles.js';

interface TabsProps {
  readonly trail: readonly Spot[];
  readonly atMs: number | null;
  readonly mode: string | null;
  readonly paused: boolean;
  readonly intervalMs: number;
  /** Whether the line of the sources shows the mode and the time. */
  readonly hasSources: boolean;
}

/** The views. Where not all names have room, only the open view shows its name. */
export function Tabs({ trail, atMs, mode, paused, intervalMs, hasSources }: TabsProps) {
  const { width } = usePen();
  const root = trail[0]?.place;
  const last = trail.at(-1)?.place;
  const open = root?.kind === 'view' ? root.view : null;
  const isHelp = last?.kind === 'view' && last.view === 'help';
  const rate = paused ? 'PAUSED' : formatDuration(intervalMs);
  const rest = hasSources ? [] : [mode, atMs === null ? null : timeOfDay(atMs)];
  const right = [...rest, rate].filter((one) => one !== null).join(' ');

  const tabsOf = (isLong: boolean, gap = ' '): Span[] => [
    ...VIEWS.map((view, at): Span => {
      const isOpen = view === open;
      const text =
        isLong || isOpen ? ` ${at + 1} ${VIEW_TITLES[view]} ` : `${at === 0 ? ' ' : gap}${at + 1} `;
      return isOpen && !isHelp ? { text, tone: 'strong', inverse: true } : { text };
    }),
    { text: isLong ? ' ? Help ' : `${gap}? `, inverse: isHelp },
  ];
  const fits = (line: Line, words: string): boolean => lengthOf(line) + words.length <= width;
  const [long, short, dense] = [tabsOf(true), tabsOf(false), tabsOf(false, '')];
  const narrow = !fits(short, ` ${rate}`) && fits(dense, ` ${rate}`) ? dense : short;
  const tabs = fits(long, right) ? long : narrow;
  const room = width - lengthOf(tabs) - 1;
  // PAUSED must be visible, whatever else is not.
  const shown = [right, rate].find((text) => text.length <= room);
  if (shown === undefined) return <TextLine line={tabs} />;
  const line: Line = [
    ...tabs,
    { text: ' '.repeat(room + 1 - shown.length) },
    { text: shown, tone: paused ? 'warn' : 'faint' },
  ];
  return <TextLine line={line} />;
}

function lengthOf(line: Line): number {
  return line.reduce((sum, { text }) => sum + text.length, 0);
}
