/** Claims: what the demo says is so, what was measured, and the bound that decides. Nothing is claimed unmeasured. */
import type { Screen } from "./screen.ts";

export interface Claim {
  /** Stable, for `--json` and for diagnosis. */
  readonly id: string;
  readonly claim: string;
  readonly measured: string;
  readonly bound: string;
  readonly holds: boolean;
}

export class Claims {
  readonly #claims: Claim[] = [];

  add(claim: Claim): void {
    this.#claims.push(claim);
  }

  /** A count that must not exceed its bound. */
  atMost(id: string, claim: string, measured: number, bound: number, unit = ""): void {
    const text = (value: number): string => `${Number(value.toFixed(2))}${unit}`;
    this.add({
      id,
      claim,
      measured: text(measured),
      bound: `≤ ${text(bound)}`,
      holds: measured <= bound,
    });
  }

  /** A count that must be exactly so. */
  exactly(id: string, claim: string, measured: number, bound: number, unit = ""): void {
    this.add({
      id,
      claim,
      measured: `${measured}${unit}`,
      bound: `= ${bound}${unit}`,
      holds: measured === bound,
    });
  }

  get all(): readonly Claim[] {
    return this.#claims;
  }

  get failing(): readonly Claim[] {
    return this.#claims.filter((claim) => !claim.holds);
  }

  failed(id: string): boolean {
    return this.failing.some((claim) => claim.id === id);
  }

  print(screen: Screen): void {
    const column = (pick: (claim: Claim) => string, title: string): number =>
      Math.max(title.length, ...this.#claims.map((claim) => pick(claim).length));
    const widths = [
      column((claim) => claim.claim, "claim"),
      column((claim) => claim.measured, "measured"),
      column((claim) => claim.bound, "bound"),
    ] as const;
    const row = (a: string, b: string, c: string, d: string): string =>
      `    ${a.padEnd(widths[0])}  ${b.padEnd(widths[1])}  ${c.padEnd(widths[2])}  ${d}`;
    screen.plain(row("claim", "measured", "bound", ""));
    for (const claim of this.#claims) {
      screen.plain(row(claim.claim, claim.measured, claim.bound, screen.mark(claim.holds)));
    }
  }
}
