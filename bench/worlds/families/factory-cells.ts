/**
 * The shop floor of the factory: one cell for each area, with controllers, what they move, panels and a gateway. Each cell is
 * built by another integrator, hence another protocol; what all cells share (time, network watch, saved programs) is the caller's.
 */
import type { Labels } from "@bulkhead/model";
import { EVERY_COPY, type RoleName } from "../blueprint.ts";
import { seldom, steady, type Draft } from "../drafting.ts";
import type { Random } from "../random.ts";

const AREAS = ["press", "body", "paint", "assembly", "packaging", "foundry", "utilities", "test"];

/** Siemens S7 (ISO on TCP), EtherNet/IP, Modbus, and Beckhoff ADS. */
const PROTOCOLS = [102, 44_818, 502, 48_898] as const;
const OPC_UA = 4840;
/** What hangs on a controller: by name, copies at least and at most, port. No two by one port: they would do the same. */
const FIELD = [
  ["drive", 4, 9, 502],
  ["robot", 2, 7, 44_818],
  ["camera", 1, 4, 8500],
  ["nutrunner", 2, 6, 4545],
  ["scale", 1, 3, 8000],
] as const;

export interface Cell {
  readonly plc: RoleName;
  readonly plcPort: number;
  readonly panel: RoleName;
  readonly gateway: RoleName;
  readonly field: readonly RoleName[];
}

export function addCells(draft: Draft, random: Random, size: number): readonly Cell[] {
  return random
    .some(AREAS, random.whole(4, 6))
    .map((area) => addCell(draft, random, { area, size }));
}

function addCell(
  draft: Draft,
  random: Random,
  { area, size }: { readonly area: string; readonly size: number },
): Cell {
  // An asset inventory was made once, by walking through some halls.
  const walked = random.chance(0.5);
  const short = area.slice(0, 2);
  const device = (name: string, copies: number, standbys = 0): RoleName =>
    draft.role(`cell-${area}`, name, {
      kind: "vm",
      copies,
      standbys,
      labels: (copy): Labels =>
        walked && !random.fork(`walked past ${area} ${name} ${copy}`).chance(0.1)
          ? { asset: name, hall: area }
          : {},
      called: (copy) => `${short}-${name}-${String(copy + 1).padStart(2, "0")}`,
    });
  const some = (least: number, most: number): number =>
    Math.max(1, Math.round(size * random.whole(least, most)));

  const plcPort = random.pick(PROTOCOLS);
  // Two shifts or three; a press runs through the night.
  const shifts = random.chance(0.5) ? "flat" : "office";
  const plc = device("plc", some(3, 8));
  const panel = device("hmi", some(2, 5));
  const gateway = device("opc-server", 1, random.chance(0.4) ? 1 : 0);
  draft.call(panel, plc, plcPort, steady(random.between(2, 12), shifts), { fan: EVERY_COPY });
  draft.call(gateway, plc, plcPort, steady(random.between(1, 6)), { fan: EVERY_COPY });
  if (random.chance(0.3)) draft.call(panel, gateway, OPC_UA, steady(4, shifts), { fan: 1 });
  // Controllers of one line hand parts over to each other.
  if (random.chance(0.6)) draft.call(plc, plc, plcPort, steady(random.between(1, 4), shifts));
  const field = random
    .some(FIELD, random.whole(1, 3))
    .map(([name, least, most, port]): RoleName => {
      const part = device(name, some(least, most));
      draft.call(plc, part, port, steady(random.between(1, 10), shifts));
      // Parameters of a part are set from the panel beside it, when it was replaced.
      if (random.chance(0.4))
        draft.call(panel, part, 80, seldom(random.whole(4, 30)), { fan: EVERY_COPY });
      return part;
    });
  return { plc, plcPort, panel, gateway, field };
}
