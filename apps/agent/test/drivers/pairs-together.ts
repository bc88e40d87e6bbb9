/** Connections that are tried at once: what is not to arrive has to be waited for, and they all wait together. */
import type { Pair } from "./pair.ts";

export interface Opened {
  /** By name, whether something sent now arrives. */
  toServer(patience?: number): Promise<Readonly<Record<string, boolean>>>;
  toClient(patience?: number): Promise<Readonly<Record<string, boolean>>>;
  /** What is expected of each. */
  all(carries: boolean): Readonly<Record<string, boolean>>;
  only(protocol: "tcp" | "udp", carries: boolean): Readonly<Record<string, boolean>>;
}

/** For what is to arrive, however busy the machine. */
export const PATIENT_MS = 20_000;

export const together = (
  pairs: readonly {
    readonly name: string;
    readonly protocol: "tcp" | "udp";
    readonly pair: Pair | null;
  }[],
): Opened => {
  const ask = async (carry: (pair: Pair) => Promise<boolean>) =>
    Object.fromEntries(
      await Promise.all(
        pairs.map(async ({ name, pair }) => [name, pair !== null && (await carry(pair))] as const),
      ),
    );
  const expected = (carries: boolean, some = pairs) =>
    Object.fromEntries(some.map(({ name }) => [name, carries]));
  return {
    toServer: (patience) => ask((pair) => pair.toServer(patience)),
    toClient: (patience) => ask((pair) => pair.toClient(patience)),
    all: (carries) => expected(carries),
    only: (wanted, carries) =>
      expected(
        carries,
        pairs.filter(({ protocol }) => protocol === wanted),
      ),
  };
};
