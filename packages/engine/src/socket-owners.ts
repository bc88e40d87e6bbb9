/**
 * Whose a shared address is, port by port: processes of the machine own no address, but the sockets on which they wait.
 * A socket bound to one address comes before one bound to all; of two that claim the same socket neither is believed alone.
 */
import type {
  IpAddress,
  IpFamily,
  IpRange,
  IpValue,
  OwnedSocket,
  ProtocolNumber,
  Workload,
} from "@bulkhead/model";
import { compare } from "./order.ts";

/** One protocol and port of an address of the machine. */
export interface SocketOwners {
  readonly protocol: ProtocolNumber;
  readonly port: number;
  /** By id, at least one; several claim the same socket. */
  readonly owners: readonly Workload[];
}

/** RFC 1122 §3.2.1.3 (g), RFC 4291 §2.5.3: never on a wire, so always the machine itself. */
export const LOOPBACK: Readonly<Record<IpFamily, IpRange>> = {
  4: { family: 4, first: 0x7f000000n, last: 0x7fffffffn },
  6: { family: 6, first: 1n, last: 1n },
};
/** The addresses that loopback is known by; what else is bound in its range is known by its socket. */
export const LOOPBACK_ADDRESSES: readonly IpAddress[] = ["127.0.0.1", "::1"];

export function isLoopback({ family, value }: IpValue): boolean {
  const { first, last } = LOOPBACK[family];
  return first <= value && value <= last;
}

const NOTHING: readonly SocketOwners[] = [];

export class SocketTable {
  readonly #bound = new Map<IpAddress, Map<string, SocketOwners>>();
  readonly #unbound: Readonly<Record<IpFamily, Map<string, SocketOwners>>> = {
    4: new Map(),
    6: new Map(),
  };
  readonly #everywhere = new Map<IpFamily, readonly SocketOwners[]>();

  /** `processes` by id. */
  constructor(processes: Iterable<Workload>) {
    for (const process of processes) {
      for (const socket of process.sockets ?? []) this.#claim(socket, process);
    }
  }

  /** Every address that a socket is bound to. */
  get addresses(): Iterable<IpAddress> {
    return this.#bound.keys();
  }

  /** By protocol and port. `address` must be the machine's own. */
  at(address: IpAddress, family: IpFamily): readonly SocketOwners[] {
    const bound = this.#bound.get(address);
    return bound === undefined
      ? this.unbound(family)
      : sorted(new Map([...this.#unbound[family], ...bound]));
  }

  /** At addresses that no socket is bound to. */
  unbound(family: IpFamily): readonly SocketOwners[] {
    let found = this.#everywhere.get(family);
    if (found === undefined) {
      found = this.#unbound[family].size === 0 ? NOTHING : sorted(this.#unbound[family]);
      this.#everywhere.set(family, found);
    }
    return found;
  }

  #claim({ address, family, protocol, port }: OwnedSocket, process: Workload): void {
    let claims = this.#unbound[family];
    if (address !== undefined) {
      claims = this.#bound.get(address) ?? new Map<string, SocketOwners>();
      this.#bound.set(address, claims);
    }
    const key = `${protocol}/${port}`;
    const owners = claims.get(key)?.owners ?? [];
    if (!owners.includes(process)) {
      claims.set(key, { protocol, port, owners: [...owners, process] });
    }
  }
}

function sorted(claims: ReadonlyMap<string, SocketOwners>): SocketOwners[] {
  return [...claims.values()].toSorted(
    (a, b) => compare(a.protocol, b.protocol) || compare(a.port, b.port),
  );
}

export function sameSockets(a: readonly SocketOwners[], b: readonly SocketOwners[]): boolean {
  if (a === b) return true;
  return (
    a.length === b.length &&
    a.every(({ protocol, port, owners }, i) => {
      const other = b[i]!;
      return (
        protocol === other.protocol &&
        port === other.port &&
        owners.length === other.owners.length &&
        owners.every((owner, o) => owner === other.owners[o])
      );
    })
  );
}
