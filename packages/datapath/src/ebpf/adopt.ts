/**
 * Numbers as the kernel's tables have them, so that a process that takes over goes on where another ended: what keeps its
 * meaning keeps its number, and no number is given to anything else while an entry may still say it.
 */
import type { HostPolicy } from "@bulkhead/model";
import { atomName } from "./atoms.ts";
import type { AtomCell } from "./atoms.ts";
import { entriesOf } from "./found-maps.ts";
import {
  EXACT_BIT,
  OWNER_SHIFT,
  className,
  createRegistry,
  listName,
  ownersOf,
  rowName,
} from "./tables.ts";
import type { Registry, Tables } from "./tables.ts";

const adoptAtoms = ({ cells }: Tables, { atoms }: Registry): void => {
  const byAtom = new Map<number, AtomCell[]>();
  for (const [name, value] of cells) {
    const [classNumber = 0, atom = 0] = name.split(".").map(Number);
    if (atom === 0) continue;
    const known = byAtom.get(atom) ?? [];
    byAtom.set(atom, known);
    known.push({ classNumber, row: value % EXACT_BIT, exact: value >= EXACT_BIT });
  }
  for (const [number, list] of byAtom) atoms.adopt(atomName(list), number);
};

/** `policy`: whose addresses are whose; nothing else in the kernel has owners by name. */
export const adopt = (
  tables: Tables,
  policy: Pick<HostPolicy, "endpoints" | "contested">,
): Registry => {
  const registry = createRegistry();
  for (const [number, { plane, direction, classId }] of tables.classes)
    registry.classes.adopt(className(plane, direction, classId), number);
  for (const [number, row] of tables.rows) registry.rows.adopt(rowName(row), number);
  for (const number of tables.lists.keys())
    registry.lists.adopt(listName(entriesOf(tables.lists, number)), number);
  for (const [number, cookie] of tables.decisions) registry.decisions.adopt(cookie, number);
  adoptAtoms(tables, registry);
  for (const [address, workload] of ownersOf(policy)) {
    const number = (tables.locals.get(address) ?? 0) >>> OWNER_SHIFT;
    if (number !== 0) registry.owners.adopt(workload, number);
  }
  return registry;
};
