/** Dialects that other products brought into the world, one line each. */
import { antrea } from "./antrea/antrea.ts";
import { cilium } from "./cilium/cilium.ts";
import { calico } from "./calico/index.ts";
import type { Dialect } from "./dialect.ts";
import { istio } from "./istio/index.ts";
import { networkPolicyApi } from "./network-policy-api/index.ts";

export const DIALECTS: readonly Dialect[] = [networkPolicyApi, cilium, calico, istio, antrea];
