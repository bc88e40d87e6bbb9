/**
 * KubeVirt's virtual machines: each runs in a pod that has its labels and some of the controller's, and whose named ports
 * are those of its interfaces (kubevirt/kubevirt v1.6, `pkg/virt-controller/services/template.go`, `podLabels`).
 */
import { parseProtocol, TCP, type NamedPort } from "@bulkhead/model";
import { fields, optional, required } from "../text/fields.ts";
import { integer, list, mapped, type Read, type Shape, text } from "../text/shape.ts";
import { generatedMeta, objectLabels } from "./metadata.ts";
import { factsOf, UNNUMBERED, type PodMaker } from "./objects.ts";

const open = { open: true } as const;

const port = fields(
  "a port of an interface",
  { name: optional(text), port: optional(integer(1, 65535)), protocol: optional(text) },
  open,
);
const networkInterface = fields("an interface", { ports: optional(list(port, "ports")) }, open);
const devices = fields(
  "devices",
  { interfaces: optional(list(networkInterface, "interfaces")) },
  open,
);
const machineSpec = fields(
  "a virtual machine's spec",
  { domain: optional(fields("a domain", { devices: optional(devices) }, open)) },
  open,
);
type MachineSpec = Read<typeof machineSpec>;

const template = fields(
  "a template",
  {
    metadata: optional(fields("metadata", { labels: optional(objectLabels) }, open)),
    spec: optional(machineSpec),
  },
  open,
);

const machineFacts = (
  name: string,
  labels: Readonly<Record<string, string>> | undefined,
  spec: MachineSpec | undefined,
) => ({
  ...factsOf(
    // What the controller sets takes the place of what is written.
    { ...labels, "kubevirt.io": "virt-launcher", "vm.kubevirt.io/name": name },
    undefined,
    [],
  ),
  namedPorts: (spec?.domain?.devices?.interfaces ?? []).flatMap(({ ports = [] }) =>
    ports.flatMap(({ name: called, port: number, protocol }): NamedPort[] =>
      called === undefined || number === undefined
        ? []
        : [{ name: called, protocol: parseProtocol(protocol ?? "TCP") ?? TCP, port: number }],
    ),
  ),
});

const fromTemplate = (kind: string): Shape<PodMaker> =>
  mapped(
    fields(
      `a ${kind}`,
      {
        metadata: required(generatedMeta),
        spec: optional(fields("a spec", { template: optional(template) }, open)),
      },
      open,
    ),
    ({ metadata, spec, source }) => ({
      kind,
      metadata,
      facts: machineFacts(metadata.name, spec?.template?.metadata?.labels, spec?.template?.spec),
      source,
      ...UNNUMBERED,
    }),
  );

const instance: Shape<PodMaker> = mapped(
  fields(
    "a VirtualMachineInstance",
    { metadata: required(generatedMeta), spec: optional(machineSpec) },
    open,
  ),
  ({ metadata, spec, source }) => ({
    kind: "VirtualMachineInstance",
    metadata,
    facts: machineFacts(metadata.name, metadata.labels, spec),
    source,
    ...UNNUMBERED,
  }),
);

export const VIRTUAL_MACHINES: Readonly<Record<string, Shape<PodMaker>>> = {
  VirtualMachine: fromTemplate("VirtualMachine"),
  VirtualMachineInstance: instance,
};
