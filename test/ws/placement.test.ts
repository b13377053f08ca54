import { describe, expect, it } from 'vitest';
import { type PlacementRoom, placeSymbols } from '../../src/ws/placement.js';

const room = (used: readonly number[], more: Partial<PlacementRoom> = {}): PlacementRoom => ({
  strategy: 'first-fit',
  capacity: 3,
  maxConnections: 3,
  connections: used.map((each, at) => ({ id: at + 1, used: each })),
  unusable: 0,
  ...more,
});

describe('first-fit', () => {
  it.each([
    ['opens the first connection', 1, room([]), [-1], 1],
    ['fills one before it opens the next', 4, room([]), [-1, -1, -1, -2], 2],
    ['fills what others have left', 3, room([3, 1, 2]), [2, 2, 3], 0],
    ['says which have no room', 3, room([3, 3, 2]), [3, null, null], 0],
    ['counts connections that take no symbols', 1, room([3], { unusable: 2 }), [null], 0],
    [
      'goes by id, whatever the order',
      1,
      room([], {
        connections: [
          { id: 2, used: 0 },
          { id: 1, used: 2 },
        ],
      }),
      [1],
      0,
    ],
    ['plans nothing for nothing', 0, room([3, 3, 3]), [], 0],
  ])('%s', (_name, count, given, targets, opened) => {
    expect(placeSymbols(count, given)).toEqual({ targets, opened });
  });
});

describe('least-loaded', () => {
  const strategy = 'least-loaded';
  it.each([
    ['opens all connections before any has two symbols', 4, room([], { strategy }), [-1, -2, -3, -1], 3],
    ['uses an empty one before it opens another', 2, room([0], { strategy }), [1, -1], 1],
    ['levels out', 3, room([3, 0, 1], { strategy }), [2, 2, 3], 0],
    ['says which have no room', 2, room([3, 2, 3], { strategy }), [2, null], 0],
    ['opens none beyond the limit', 1, room([1, 1], { strategy, unusable: 1 }), [1], 0],
  ])('%s', (_name, count, given, targets, opened) => {
    expect(placeSymbols(count, given)).toEqual({ targets, opened });
  });
});
