/** Objects of other products that decide nothing about who may connect, each by its CRD's name: told to be left out, no more. */
import { expect, test } from "vitest";
import { parseFiles } from "../src/index.ts";

test.each([
  // cilium/cilium `pkg/k8s/apis/cilium.io/client/crds`, 1.18.
  [
    "cilium.io/v2",
    "CiliumBGPAdvertisement CiliumBGPClusterConfig CiliumBGPNodeConfig CiliumBGPNodeConfigOverride CiliumBGPPeerConfig " +
      "CiliumBGPPeeringPolicy CiliumEndpoint CiliumEndpointSlice CiliumGatewayClassConfig CiliumIdentity " +
      "CiliumL2AnnouncementPolicy CiliumLoadBalancerIPPool CiliumNode CiliumNodeConfig CiliumPodIPPool CiliumVTEPConfig",
  ],
  // antrea-io/antrea `build/charts/antrea/crds`, 2.5.
  [
    "crd.antrea.io/v1beta1",
    "AntreaAgentInfo AntreaControllerInfo AntreaNodeConfig BGPPolicy Egress ExternalEntity ExternalIPPool ExternalNode " +
      "FlowExporterDestination IPPool NodeLatencyMonitor PacketCapture PacketSampling SupportBundle SupportBundleCollection " +
      "Traceflow TrafficControl",
  ],
  // projectcalico/calico `api/config/crd`, 3.31.
  [
    "projectcalico.org/v3",
    "BGPConfiguration BGPFilter BGPPeer BlockAffinity CalicoNodeStatus ClusterInformation FelixConfiguration IPAMBlock " +
      "IPAMConfig IPAMConfiguration IPAMHandle IPPool IPReservation KubeControllersConfiguration Node",
  ],
])("of %s", (apiVersion, kinds) => {
  const objects = kinds.split(" ").map((kind) => ({ apiVersion, kind, metadata: { name: "a" } }));
  const files = objects.map((one) => ({ name: one.kind, text: JSON.stringify(one) }));
  const { resources, diagnostics } = parseFiles(files);
  expect(resources).toEqual([]);
  expect(diagnostics.map(({ code, span, message }) => `${span.file} ${code} ${message}`)).toEqual(
    files
      .map(({ name }) => `${name} BH0401 \`${name}\` does not decide who may connect: ignored`)
      .toSorted(),
  );
});
