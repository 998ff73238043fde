// Places the diagram's nodes and lanes.

import type { Member } from './members.ts';

export type Point = { x: number; y: number };
export type Box = Point & { width: number; height: number };
export type Line = { from: Point; to: Point };
/** A node's box and its lanes to the client and the bus, in CSS pixels. */
export type Place = { box: Box; request: Line | undefined; publish: Line | undefined; deliver: Line | undefined };
export type Layout = {
  width: number;
  height: number;
  client: Box;
  bus: Box;
  places: Map<string, Place>;
  narrow: boolean;
};

const ROW = 104;
/** The vertical middle of a node in its row; labels come below the lanes. */
const MIDDLE = 40;
const NODE_HEIGHT = 52;
/** The distance of a node's two lanes from its middle. */
const APART = 11;
/** The distance between an arrow's tip and its target. */
const TIP = 3;

const WIDE = { client: 72, gap: 40, node: 116, bus: 92, lane: 200 };
const NARROW = { client: 22, gap: 16, node: 86, bus: 26, lane: 300 };
/** The diagram's width on a phone of 18rem. */
const LEAST = 230;

/**
 * Wide: the client at the left, the bus in the middle, the parts with requests between them, and the pure subscribers
 * at the right of the bus. Narrow: all in one column before the bus.
 */
export function layOut(members: Member[], available: number): Layout {
  const narrow = available < 560;
  const size = narrow ? NARROW : WIDE;
  const right = narrow ? [] : members.filter(({ requested }) => !requested);
  const left = [...members.filter(({ requested }) => requested), ...members.filter((one) => !one.requested && narrow)];
  const sides = narrow ? 1 : 2;
  const fixed = size.client + size.gap + size.node * sides + size.bus;
  const lane = Math.min(size.lane, (Math.max(LEAST, available) - fixed) / sides);
  const rows = Math.max(left.length, right.length, 1);
  const nodeX = size.client + size.gap;
  const busX = nodeX + size.node + lane;
  const rightX = busX + size.bus + lane;
  const height = rows * ROW;

  const column = (list: Member[], x: number, mirrored: boolean): [string, Place][] =>
    list.map(({ name, requested, publishing, taking }, row) => {
      const y = ((rows - list.length) / 2 + row) * ROW + MIDDLE;
      const box = { x, y: y - NODE_HEIGHT / 2, width: size.node, height: NODE_HEIGHT };
      const node = mirrored ? x - TIP : x + size.node + TIP;
      const bus = mirrored ? busX + size.bus + TIP : busX - TIP;
      const apart = publishing !== undefined && taking ? APART : 0;
      const request = requested ? { from: { x: size.client + TIP, y }, to: { x: x - TIP, y } } : undefined;
      const publish = { from: { x: node, y: y - apart }, to: { x: bus, y: y - apart } };
      const deliver = { from: { x: bus, y: y + apart }, to: { x: node, y: y + apart } };
      return [
        name,
        { box, request, publish: publishing === undefined ? undefined : publish, deliver: taking && deliver },
      ];
    });

  const asked = left.filter(({ requested }) => requested).length;
  const first = ((rows - left.length) / 2) * ROW + MIDDLE - NODE_HEIGHT / 2;
  const bar = (x: number, width: number, count: number) => ({
    ...{ x, y: first, width },
    height: (Math.max(1, count) - 1) * ROW + NODE_HEIGHT,
  });
  return {
    width: narrow ? busX + size.bus : rightX + size.node,
    height,
    client: bar(0, size.client, asked),
    bus: { x: busX, y: MIDDLE - NODE_HEIGHT / 2, width: size.bus, height: (rows - 1) * ROW + NODE_HEIGHT },
    places: new Map([...column(left, nodeX, false), ...column(right, rightX, true)]),
    narrow,
  };
}
