/**
 * Whose tables these are, and what the machine was like before: the one line of text that nftables keeps with a table.
 * It survives the agent, so a restarted agent finds its own, a second one finds a stranger's, and removal puts
 * settings back.
 */

/** Kernel settings that the driver turns on, as they were before; `-` where the kernel has none. */
export interface Before {
  readonly bridgeIptables: string;
  readonly bridgeIp6tables: string;
  readonly accounting: string;
}

export interface Marker {
  readonly owner: string;
  readonly before: Before;
}

const OWNER = /^[A-Za-z0-9_.:-]{1,64}$/;
const MARKER = /^bulkhead\/1 owner=(\S+) was=([01-]),([01-]),([01-])$/;

export const isOwner = (owner: string): boolean => OWNER.test(owner);

export const formatMarker = ({ owner, before }: Marker): string =>
  `bulkhead/1 owner=${owner} was=${before.bridgeIptables},${before.bridgeIp6tables},${before.accounting}`;

/** Null when the text is not ours. */
export const parseMarker = (text: string): Marker | null => {
  const parts = MARKER.exec(text);
  if (parts === null) return null;
  const [, owner = "", bridgeIptables = "-", bridgeIp6tables = "-", accounting = "-"] = parts;
  return { owner, before: { bridgeIptables, bridgeIp6tables, accounting } };
};
