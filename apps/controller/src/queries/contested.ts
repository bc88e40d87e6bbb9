/** Addresses and sockets that several workloads claim, in the words of the API. */
import type { StatusAnswer } from "@bulkhead/api";
import { contestedIn, type InventoryIndex } from "@bulkhead/engine";
import { formatPort } from "@bulkhead/model";

type ContestedView = NonNullable<StatusAnswer["ambiguous"]>["contested"][number];

export function contestedViews(index: InventoryIndex): ContestedView[] {
  return contestedIn(index).map(({ address, socket, workloads }) => ({
    what: address ?? (socket === undefined ? "" : formatPort(socket.protocol, socket.port)),
    workloads: [...workloads],
  }));
}
