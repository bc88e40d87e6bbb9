/**
 * The world as it is now: what was discovered and is believed, under the declarations in force, with names for it. The
 * same declarations in the same surroundings are the very same world, so that what was derived from it can stay.
 */
import type { Endpoint, HostPolicy } from "@bulkhead/model";
import type { Reading } from "../policy/reading.ts";
import type { Declared } from "./declared.ts";
import type { Gatekeeper } from "./gatekeeper.ts";
import { createNamer, type Namer } from "./naming.ts";
import { createTenure, type Tenure } from "./tenure.ts";
import type { UnitMemory } from "./unit-memory.ts";
import { buildWorld, NO_SURROUNDINGS, type Surroundings, type World } from "./world.ts";

export interface WorldKeeperDeps {
  readonly now: () => number;
  readonly units: UnitMemory;
  readonly gatekeeper: Gatekeeper;
  /** Who is confined at present, as last compiled. */
  readonly confined: () => HostPolicy["endpoints"] | undefined;
}

export class WorldKeeper {
  readonly #deps: WorldKeeperDeps;
  #reading: Reading;
  #discovered: Surroundings = NO_SURROUNDINGS;
  #believed: Surroundings = NO_SURROUNDINGS;
  #built: { declared: Declared; surroundings: Surroundings; world: World } | undefined;
  #world: World;
  #namer: Namer;
  readonly #tenure = createTenure();

  constructor(reading: Reading, deps: WorldKeeperDeps) {
    this.#deps = deps;
    this.#reading = reading;
    this.#world = this.under(reading);
    this.#namer = createNamer(this.#world, reading.networkSets);
    this.#tenure.see(this.#world, deps.now());
  }

  get world(): World {
    return this.#world;
  }

  get namer(): Namer {
    return this.#namer;
  }

  get tenure(): Pick<Tenure, "heldAt"> {
    return this.#tenure;
  }

  /** How the world looks under a reading: the same surroundings, other names. */
  under({ declared }: Reading): World {
    const surroundings = this.#believed;
    if (this.#built?.declared !== declared || this.#built.surroundings !== surroundings) {
      const world = buildWorld(declared, surroundings, this.#built?.world);
      this.#built = { declared, surroundings, world };
    }
    return this.#built.world;
  }

  /** This reading is in force from now on. */
  adopt(reading: Reading): void {
    this.#reading = reading;
    this.#world = this.under(reading);
    this.#namer = createNamer(this.#world, reading.networkSets);
    this.#tenure.see(this.#world, this.#deps.now());
  }

  discovered(found: Surroundings): void {
    this.#discovered = found;
    const confined = this.#deps.confined();
    const modeOf = (name: Endpoint["interface"]) =>
      confined?.find((one) => one.interface === name)?.mode;
    const known = { ...found, processes: this.#deps.units.recall(found.processes) };
    this.#believed = this.#deps.gatekeeper.admit(known, {
      declared: this.#reading.declared,
      enforced: (name) => {
        const mode = modeOf(name);
        return mode === undefined ? undefined : mode === "enforce";
      },
    });
    this.adopt(this.#reading);
  }

  /** Whoever is no longer enforced may call itself what it likes. True when that made a difference to look at. */
  reconsider(): boolean {
    if (!this.#deps.gatekeeper.refuses) return false;
    this.discovered(this.#discovered);
    return true;
  }
}
