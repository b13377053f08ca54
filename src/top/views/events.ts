import type { ScreenEvent } from '../state.js';
import type { TableSpec } from '../table.js';
import { timeOfDay } from '../words.js';

export const eventTable: TableSpec<ScreenEvent> = {
  name: 'events',
  title: 'Events',
  sort: null,
  key: ({ atMs, about, words }) => `${atMs} ${about} ${words}`,
  empty: 'nothing has happened since the screen was opened',
  columns: [
    {
      id: 'time',
      title: 'TIME',
      rank: 2,
      width: 8,
      value: ({ atMs }) => atMs,
      text: ({ atMs }) => timeOfDay(atMs),
      tone: () => 'faint',
    },
    {
      id: 'about',
      title: 'ABOUT',
      rank: 3,
      width: 12,
      grow: 1,
      value: ({ about }) => about,
      tone: () => 'name',
    },
    {
      id: 'event',
      title: 'EVENT',
      rank: 1,
      width: 20,
      grow: 5,
      value: ({ words }) => words,
      tone: ({ tone }) => tone,
    },
  ],
};
