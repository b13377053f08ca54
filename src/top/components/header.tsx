import { counted, shortTime } from '../../diagnosis/words.js';
import type { Tick } from '../../snapshot/reading.js';
import type { Content } from '../content.js';
import type { Place, Spot } from '../place.js';
import { timeOfDay } from '../words.js';
import { usePen } from './pen.js';
import { TextLine } from './text-line.js';
import { VIEW_TITLES } from './titles.js';

interface SourcesProps {
  /** null before the first reading. */
  readonly tick: Tick | null;
  readonly mode: string | null;
}

/** When the sources were read. Those that cannot be read come first. */
export function Sources({ tick, mode }: SourcesProps) {
  if (tick === null) return <TextLine line={[{ text: 'waiting for the first reading', tone: 'faint' }]} />;
  const { atMs, sources } = tick;
  const bad = sources.filter(({ stale }) => stale !== null && stale.ended !== true);
  const parts = [...bad, ...sources.filter((one) => !bad.includes(one))].map(({ label, stale, reading }) => {
    if (stale === null) return label;
    if (stale.ended === true) return `${label} (ended ${shortTime(atMs - stale.sinceMs)} ago)`;
    const age = reading === null ? 'never read' : `stale ${shortTime(atMs - reading.takenAtMs)}`;
    return `${label} (${age}: ${stale.why})`;
  });
  const when = mode === null ? timeOfDay(atMs) : `${timeOfDay(atMs)} (${mode})`;
  return (
    <TextLine line={[{ text: `${when}  ${parts.join('  ')}`, tone: bad.length > 0 ? 'bad' : 'faint' }]} />
  );
}

interface TitleProps {
  readonly trail: readonly Spot[];
  readonly content: Content;
}

/** The path to the current place, and how its table is filtered. */
export function Title({ trail, content }: TitleProps) {
  const { unicode } = usePen();
  const path = [...trail.slice(0, -1).map(({ place }) => placeName(place)), content.title];
  const filter = trail.at(-1)?.filter ?? '';
  const text = `${path.join(unicode ? ' › ' : ' > ')}${countText(content)}${filter === '' ? '' : `  filter: ${filter}`}`;
  return <TextLine line={[{ text, tone: 'strong' }]} />;
}

function countText(content: Content): string {
  if (content.kind === 'text') return '';
  const { keys, total } = content.table;
  return `  ${keys.length === total ? '' : `${keys.length} of `}${counted(total, 'row')}`;
}

function placeName(place: Place): string {
  switch (place.kind) {
    case 'view':
      return VIEW_TITLES[place.view];
    case 'pool':
    case 'broker':
    case 'size':
      return 'Pool';
    case 'lease':
      return 'Lease';
    case 'backend':
      return 'Backend';
    case 'clients':
      return 'Clients';
    case 'group':
      return place.value;
  }
}
