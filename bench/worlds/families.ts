/** All families of worlds. One of them is held out: nothing is ever tuned by what comes out of it. */
import type { Blueprint } from "./blueprint.ts";
import { draftBatchFarm } from "./families/batch-farm.ts";
import { draftFactory } from "./families/factory.ts";
import { draftHospital } from "./families/hospital.ts";
import { draftSaas } from "./families/saas.ts";
import { draftShop } from "./families/shop.ts";
import { draftThreeTier } from "./families/three-tier.ts";
import type { Random } from "./random.ts";

export type Family = "shop" | "three-tier" | "batch-farm" | "saas" | "hospital" | "factory";

interface Drawn {
  readonly title: string;
  readonly heldOut: boolean;
  draft(random: Random, size: number): Blueprint;
}

export const FAMILIES: Readonly<Record<Family, Drawn>> = {
  shop: { title: "shop of microservices", heldOut: false, draft: draftShop },
  "three-tier": { title: "three-tier VMs without labels", heldOut: false, draft: draftThreeTier },
  "batch-farm": { title: "batch farm", heldOut: false, draft: draftBatchFarm },
  saas: { title: "SaaS of many tenants", heldOut: false, draft: draftSaas },
  hospital: { title: "hospital", heldOut: false, draft: draftHospital },
  factory: { title: "factory (held out)", heldOut: true, draft: draftFactory },
};

export const ALL_FAMILIES = Object.keys(FAMILIES) as readonly Family[];

export const isFamily = (text: string): text is Family => Object.hasOwn(FAMILIES, text);
