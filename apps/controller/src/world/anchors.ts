/**
 * What a workload may not say about itself. Addresses, MAC and namespace are read where the workload is root, so it can
 * change them; policy goes by them. Whoever is enforced therefore stays what it was when it was attached: the anchor is
 * the link on our side, which a workload cannot touch. Nobody, enforced or not, takes an address that another holds.
 */
import type { BridgePort, IpAddress } from "@bulkhead/model";
import type { DiscoveredEndpoint } from "@bulkhead/wire";
import type { Declared } from "./declared.ts";
import type { Surroundings } from "./world.ts";

export interface Anchor {
  readonly kind: DiscoveredEndpoint["kind"];
  readonly name: string;
  readonly containerLabels: DiscoveredEndpoint["containerLabels"];
  readonly image?: string;
  readonly mac: string;
  /** What it had before it was held to it. Others may hold some of these. */
  readonly own: readonly IpAddress[];
  /** What it has now, and is believed. */
  readonly granted: readonly IpAddress[];
  /** When its first address was seen; undefined before. */
  readonly since?: number;
  readonly held: boolean;
  /** When it was not found any more. It may be back: links are not numbered twice. */
  readonly goneAt?: number;
}

/** By the link on our side: name and number. */
export type Anchors = ReadonlyMap<string, Anchor>;

/** A link whose other end cannot be read. */
export interface Unread {
  readonly interface: string;
  /** Who was behind it and is still taken to be; absent when nothing is known. */
  readonly name?: string;
  /** Since when nobody could look. */
  readonly since: number;
}

export interface AdmitContext {
  readonly now: number;
  readonly declared: Declared;
  /** Is the workload behind this interface enforced? Undefined when not known yet. */
  enforced(interfaceName: string): boolean | undefined;
}

export interface Admitted {
  readonly surroundings: Surroundings;
  readonly anchors: Anchors;
  /** Claims that were not believed, in sentences. */
  readonly refused: readonly string[];
}

/** Whoever attaches a workload may still be giving it addresses. */
export const SETTLE_MS = 5_000;
const REMEMBERED_MS = 600_000;
/** Of one attachment; whoever takes thousands of addresses must not bury other alarms. */
const MOST_TOLD = 3;

export const keyOf = ({ interface: name, ifindex }: BridgePort): string => `${name}#${ifindex}`;
const isNameless = (name: string): boolean => name.startsWith("@");

export function admit(found: Surroundings, before: Anchors, context: AdmitContext): Admitted {
  const refused: string[] = [];
  const there = [...found.endpoints, ...remembered(found, before)];
  const drafts = there.map((seen) => {
    const anchor = before.get(keyOf(seen));
    return { seen, anchor, ...identify(seen, anchor, context, refused) };
  });
  const holders = reservations(drafts);
  const declaredFor = declaredOwners(context.declared);
  const host = new Set(found.hostAddresses.filter((address) => !isLinkLocal(address)));
  const claims = countClaims(drafts.map(({ seen }) => seen));
  const anchors = new Map<string, Anchor>();
  const endpoints = drafts.map(({ seen, anchor, base, believed }) => {
    const key = keyOf(seen);
    const owner = `${base.kind} ${base.name}`;
    const own = believed ? seen.addresses : (anchor?.own ?? []);
    let told = 0;
    const granted = seen.addresses.filter((address) => {
      const declared = declaredFor.get(address);
      const holder = holders.get(address);
      const rival =
        declared !== undefined && !declared.has(owner)
          ? "an Inventory gives to another workload"
          : host.has(address)
            ? "is this machine's own"
            : holder !== undefined && holder !== key
              ? `belongs to ${nameOfLink(holder)}`
              : !own.includes(address) && declared === undefined
                ? "it did not have when it was attached"
                : holder === undefined && (claims.get(address) ?? 0) > 1 && !isLinkLocal(address)
                  ? "others claim as well"
                  : undefined;
      if (rival === undefined) return true;
      told += 1;
      if (told <= MOST_TOLD)
        refused.push(`${base.name} behind ${seen.interface} has taken ${address}, which ${rival}`);
      return false;
    });
    anchors.set(key, { ...base, own, granted });
    const { kind, name, containerLabels, image, mac } = base;
    const { image: _image, ...rest } = seen;
    return {
      ...rest,
      kind,
      name,
      containerLabels,
      ...(image === undefined ? {} : { image }),
      mac,
      addresses: granted,
    };
  });
  for (const [key, anchor] of before) {
    if (anchors.has(key)) continue;
    const goneAt = anchor.goneAt ?? context.now;
    if (context.now - goneAt < REMEMBERED_MS) anchors.set(key, { ...anchor, granted: [], goneAt });
  }
  return { surroundings: { ...found, endpoints }, anchors, refused };
}

type Base = Omit<Anchor, "own" | "granted">;

/**
 * As long as the link is there, it is what it was, although nobody can look behind it now: whoever hides its end must not
 * be free for that. The agent keeps it too, until it is started anew.
 */
function remembered(
  { endpoints, unread }: Surroundings,
  before: Anchors,
): readonly DiscoveredEndpoint[] {
  const read = new Set(endpoints.map(keyOf));
  return unread.flatMap((link): DiscoveredEndpoint[] => {
    const anchor = before.get(keyOf(link));
    if (anchor === undefined || read.has(keyOf(link))) return [];
    const { kind, name, containerLabels, image, mac, own, granted } = anchor;
    return [
      {
        kind,
        name,
        containerLabels,
        ...(image === undefined ? {} : { image }),
        interface: link.interface,
        ifindex: link.ifindex,
        mac,
        addresses: granted.length > 0 ? granted : own,
        netnsPath: "",
        listeners: [],
      },
    ];
  });
}

/** Who is behind the link, and whether its addresses are believed as they are seen. */
function identify(
  seen: DiscoveredEndpoint,
  anchor: Anchor | undefined,
  { now, enforced }: AdmitContext,
  refused: string[],
): { base: Base; believed: boolean } {
  const since =
    anchor?.since ?? (seen.addresses.some((one) => !isLinkLocal(one)) ? now : undefined);
  const held = enforced(seen.interface) ?? anchor?.held ?? false;
  const settled = anchor?.since !== undefined && now - anchor.since >= SETTLE_MS;
  const believed = anchor === undefined || !held || !settled;
  // Nobody but the machine's administrator gives names to namespaces and containers, so a new name is believed; having
  // none any more is what a namespace looks like that the workload has made for itself.
  const renamed = anchor !== undefined && (anchor.name !== seen.name || anchor.kind !== seen.kind);
  const keepsName =
    renamed &&
    !isNameless(anchor.name) &&
    (isNameless(seen.name) || (held && anchor.kind !== seen.kind));
  if (keepsName)
    refused.push(
      `${anchor.name} behind ${seen.interface} has moved into another network namespace`,
    );
  const who = keepsName ? anchor : seen;
  const mac = believed ? seen.mac : anchor.mac;
  if (mac !== seen.mac)
    refused.push(`${who.name} behind ${seen.interface} has taken the MAC address ${seen.mac}`);
  return {
    believed,
    base: {
      kind: who.kind,
      name: who.name,
      containerLabels: who.containerLabels,
      ...(who.image === undefined ? {} : { image: who.image }),
      mac,
      held,
      ...(since === undefined ? {} : { since }),
    },
  };
}

/** Who holds which address: what enforced workloads had when they were attached, and what others have been granted. */
function reservations(
  drafts: readonly {
    readonly seen: DiscoveredEndpoint;
    readonly anchor: Anchor | undefined;
    readonly base: Base;
  }[],
): ReadonlyMap<IpAddress, string> {
  const holders = new Map<IpAddress, string>();
  const reserve = (addresses: readonly IpAddress[], key: string): void => {
    for (const address of addresses) if (!holders.has(address)) holders.set(address, key);
  };
  // Whoever has it goes before whoever only had it.
  for (const { seen, anchor, base } of drafts)
    reserve(
      (anchor?.granted ?? []).filter(
        (address) => seen.addresses.includes(address) && (base.held || !isLinkLocal(address)),
      ),
      keyOf(seen),
    );
  for (const { seen, anchor, base } of drafts)
    if (base.held) reserve(anchor?.own ?? [], keyOf(seen));
  return holders;
}

/** For each address that an Inventory gives to a workload: the attachments that are that workload. */
function declaredOwners(declared: Declared): ReadonlyMap<IpAddress, ReadonlySet<string>> {
  const owners = new Map<IpAddress, Set<string>>();
  for (const { workload, binding } of declared.workloads)
    for (const address of workload.addresses) {
      const known = owners.get(address) ?? new Set();
      owners.set(address, known);
      if (binding !== undefined) known.add(`${binding.kind} ${binding.name}`);
    }
  return owners;
}

function countClaims(endpoints: readonly DiscoveredEndpoint[]): ReadonlyMap<IpAddress, number> {
  const claims = new Map<IpAddress, number>();
  for (const { addresses } of endpoints)
    for (const address of addresses) claims.set(address, (claims.get(address) ?? 0) + 1);
  return claims;
}

const nameOfLink = (key: string): string => key.slice(0, key.lastIndexOf("#"));

/** Another link's neighbours may have the same ones, so only enforced workloads hold theirs. */
function isLinkLocal(address: IpAddress): boolean {
  return address.startsWith("fe80:") || address.startsWith("169.254.");
}

/** As text for the store. `boot` is the machine's: after a restart links are numbered anew. */
export const formatAnchors = (anchors: Anchors, boot: string): string =>
  JSON.stringify({ boot, anchors: [...anchors] });

/** What `formatAnchors` wrote in this run of the machine; nothing otherwise. */
export function parseAnchors(text: string | null, boot: string): Anchors {
  if (text === null) return new Map();
  const stored = JSON.parse(text) as {
    readonly boot: string;
    readonly anchors: readonly (readonly [string, Anchor])[];
  };
  return stored.boot === boot ? new Map(stored.anchors) : new Map();
}
