/**
 * Peers and subjects, hash-consed: two rules that name the same peer ask one question, and the answer is kept under the
 * question's number. Selectors are asked of identities; prefixes are asked of addresses, all of them in one sweep.
 */
import type { Block, Peer } from "@bulkhead/model";

export interface Interned<P> {
  readonly number: number;
  readonly peer: P;
}

export type AnyPeer = Peer | Block["subject"];

export class PeerTable {
  readonly #byText = new Map<string, Interned<AnyPeer>>();
  readonly #byObject = new WeakMap<AnyPeer, Interned<AnyPeer>>();

  intern<P extends AnyPeer>(peer: P): Interned<P> {
    let interned = this.#byObject.get(peer);
    if (interned === undefined) {
      const text = JSON.stringify(peer);
      interned = this.#byText.get(text);
      if (interned === undefined) {
        interned = { number: this.#byText.size, peer };
        this.#byText.set(text, interned);
      }
      this.#byObject.set(peer, interned);
    }
    return interned as Interned<P>;
  }

  get size(): number {
    return this.#byText.size;
  }
}
