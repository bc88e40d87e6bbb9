/**
 * Policy text to resources to the common form, and back. `parseFiles` reads, `buildPolicySet` gives meaning,
 * `printResources` writes.
 */
export { buildPolicySet, type BuiltPolicy } from "./build/policy-set.ts";
export { stageAudited } from "./build/staged.ts";
export { serviceNamespace, type ServiceBackend, type Services } from "./build/services.ts";
export { STAGES } from "./build/stages.ts";
export type { BuildOptions, NamedNetworks } from "./build/context.ts";
export { expectationsOf, type Expectations } from "./build/expectations.ts";
export type { Binding, DeclaredInventory } from "./build/inventory.ts";
export type { PolicyTest, TestEnd } from "./build/policy-tests.ts";
export type { WayIn } from "./build/ways-in.ts";
export type { Approximation, Exported, ExportedObject, ExportOptions } from "./export/exported.ts";
export { exportNetworkPolicies, type NetworkPolicyExportOptions } from "./kubernetes/export.ts";
export { exportAdminPolicies, exportClusterPolicies } from "./network-policy-api/export.ts";
export { isDeciding } from "./kinds.ts";
export type { NativeResource } from "./native/kinds.ts";
export { kindSchemas, schemaDefinitions, type KindSchema } from "./kind-schemas.ts";
export { parseFiles, type ParsedFiles, type ParseOptions } from "./parse-files.ts";
export {
  DEFAULT_NAMESPACE,
  formatResourceName,
  isPolicyResource,
  resourceName,
  resourceSource,
  type Resource,
  type ResourceName,
} from "./resource.ts";
export { TEXT_LIMITS, type SourceFile, type TextLimits } from "./text/document.ts";
export { exportCalico } from "./calico/export.ts";
export { exportIstio } from "./istio/export.ts";
export { exportNative } from "./native/export.ts";
export { findTarget, TARGETS, type Target, type TargetOptions } from "./targets.ts";
export { exportAntrea } from "./antrea/export.ts";
export { exportCilium } from "./cilium/export.ts";
export { printResources, type Comment, type CommentedResource } from "./native/print.ts";
export { formatResolver } from "./native/machine.ts";
export { nearest } from "./text/near.ts";
export { toManifest } from "./native/to-manifest.ts";
export { nativeSchemas } from "./native/json-schema.ts";
export type { JsonSchema } from "./text/shape.ts";
